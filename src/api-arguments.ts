import { GatebookError } from './errors.ts'
import { isPlainObject } from './util/plain-object.ts'

type Members = Readonly<Record<string | symbol, unknown>>

/** Returns null, or what is expected instead. `at` names the place, for the reader. */
type Check = (value: unknown, at: string) => string | null

const kind =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  (value, at) =>
    accepts(value) ? null : `${at} is ${nameKind(value)}; ${expected} is expected.`

const text = kind('a string', (value) => typeof value === 'string')
const number = kind('a number', (value) => typeof value === 'number')
/** NaN is no number of seconds: whatever is compared with it would pass. */
const duration = kind('a number from 0 on', (value) => typeof value === 'number' && value >= 0)
const oneOf = (...values: readonly string[]): Check =>
  kind(`one of ${values.join(', ')}`, (value) => typeof value === 'string' && values.includes(value))
const flag = kind('true or false', (value) => typeof value === 'boolean')
const object = kind('an object', isObject)
const plainObject = kind('a plain object', isPlainObject)
const list = kind('an array', Array.isArray)
const texts = kind(
  'an array of strings',
  (value) => Array.isArray(value) && Array.from(value).every((item) => typeof item === 'string'),
)
const textOrTexts = kind(
  'a string or an array of strings',
  (value) => typeof value === 'string' || texts(value, '') === null,
)
/** What the flow refuses with a code of its own. */
const anything: Check = () => null
const callback = kind('a function', (value) => typeof value === 'function')
const signal = kind('an AbortSignal', (value) => isObject(value) && typeof value.addEventListener === 'function')
const headers = kind('a Headers object', (value) => isObject(value) && typeof value.get === 'function')
const rows = kind(
  'an iterable of objects',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    [Symbol.iterator, Symbol.asyncIterator].some((name) => typeof (value as Members)[name] === 'function'),
)
const userId = kind('a string or a number', (value) => typeof value === 'string' || typeof value === 'number')

function optional(check: Check): Check {
  return (value, at) => (value === undefined ? null : check(value, at))
}

/** An object with at least these members; what else it has is not looked at. */
function shape(members: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(members)
  return (value, at) => {
    if (!isObject(value)) return object(value, at)
    for (const [name, check] of checks) {
      // The text of a place is put together where somebody will read it.
      if (check(value[name], name) !== null) return check(value[name], `${at}.${name}`)
    }
    return null
  }
}

/** And no others, nor inherited ones: a requirement that is spelled or hidden in another way would be none. */
function exactly(members: Readonly<Record<string, Check>>): Check {
  const known = shape(members)
  return (value, at) => {
    if (!isPlainObject(value)) return plainObject(value, at)
    const unknown = Reflect.ownKeys(value).find((name) => !Object.hasOwn(members, name))
    return unknown === undefined ? known(value, at) : `${at}.${String(unknown)} is not known.`
  }
}

const CONTEXT_MEMBERS = {
  ip: optional(text),
  ipSource: optional(oneOf('socket', 'header-ignored', 'forwarded', 'x-forwarded-for', 'application', 'unknown')),
  userAgent: optional(text),
  requestId: optional(text),
  traceId: optional(text),
  deviceToken: optional(text),
  accessTokenMaxBytes: optional(number),
  language: optional(text),
  actor: optional(shape({ kind: oneOf('user', 'admin', 'system', 'application', 'anonymous'), id: optional(text) })),
}
const context = optional(shape(CONTEXT_MEMBERS))
const page = optional(shape({ limit: optional(number), cursor: optional(text) }))
const grant = optional(shape({ roles: optional(list), method: optional(text) }))
const credentials = { identifier: text, password: text }
const connection = optional(shape({ remoteAddress: optional(text) }))
const EVENT_VALUES = {
  type: optional(textOrTexts),
  outcome: optional(textOrTexts),
  reason: optional(textOrTexts),
  user: optional(textOrTexts),
  identifier: optional(textOrTexts),
  ip: optional(textOrTexts),
  session: optional(textOrTexts),
  event: optional(textOrTexts),
  request: optional(textOrTexts),
  device: optional(textOrTexts),
}
/** What is left out by a misspelt member would be shown. */
const filter = shape({
  ...EVENT_VALUES,
  not: optional(exactly(EVENT_VALUES)),
  from: optional(number),
  to: optional(number),
})

/** A member that is spelled in another way would leave another target. */
const erasureTarget = exactly({ userId: optional(userId), identifier: optional(text) })

export interface MethodRow {
  readonly takes: readonly (readonly [name: string, check: Check])[]
  /** Answers at once, or throws; every other method returns a promise. */
  readonly atOnce?: true
  /** `close` does not wait for it. */
  readonly untracked?: true
  /** Can be asked of a Gatebook that is closed. */
  readonly always?: true
}

/** Every public method by its path, with the types of what it takes; values are the business of the flows. */
export const ARGUMENTS: Readonly<Record<string, MethodRow>> = {
  fetch: {
    takes: [
      ['request', shape({ headers, url: text, method: text })],
      ['connection', connection],
    ],
    untracked: true,
    always: true,
  },
  exchange: {
    takes: [
      ['request', shape({ headers, url: anything, method: text })],
      ['connection', connection],
    ],
    untracked: true,
    always: true,
  },
  handles: { takes: [['path', text]], atOnce: true, always: true },
  contextOf: {
    takes: [
      ['headers', headers],
      ['connection', connection],
    ],
    atOnce: true,
    always: true,
  },
  authenticate: {
    takes: [
      ['request', shape({ headers, method: text })],
      [
        'requirements',
        optional(exactly({ role: optional(text), maxAgeSeconds: optional(duration), optional: optional(flag) })),
      ],
      ['context', (value, at) => (typeof value === 'function' ? null : context(value, at))],
    ],
  },
  register: {
    takes: [
      ['input', shape({ ...credentials, invitation: optional(text) })],
      ['context', context],
    ],
  },
  login: {
    takes: [
      ['input', shape(credentials)],
      ['context', context],
    ],
  },
  refresh: {
    takes: [
      ['refreshToken', text],
      ['context', context],
    ],
  },
  logout: {
    takes: [
      ['input', shape({ accessToken: optional(text), refreshToken: optional(text), scope: optional(text) })],
      ['context', context],
    ],
  },
  changePassword: {
    takes: [
      ['input', shape({ claims: shape({ userId: text, sessionId: text }), currentPassword: text, newPassword: text })],
      ['context', context],
    ],
  },
  'registrations.request': {
    takes: [
      ['input', shape(credentials)],
      ['context', context],
    ],
  },
  'registrations.confirm': {
    takes: [
      ['input', shape({ token: text, password: text })],
      ['context', context],
    ],
  },
  'passwordResets.request': {
    takes: [
      ['input', shape({ identifier: text })],
      ['context', context],
    ],
  },
  'passwordResets.issue': {
    takes: [
      ['userId', text],
      ['context', context],
    ],
  },
  'passwordResets.complete': {
    takes: [
      ['input', shape({ token: text, newPassword: text })],
      ['context', context],
    ],
  },
  'invitations.create': {
    takes: [
      [
        'input',
        optional(
          shape({
            identifier: optional(text),
            roles: optional(list),
            expiresInSeconds: optional(number),
            send: optional(flag),
          }),
        ),
      ],
      ['context', context],
    ],
  },
  'invitations.list': { takes: [['options', page]] },
  'invitations.revoke': {
    takes: [
      ['invitationId', text],
      ['context', context],
    ],
  },
  'attempts.begin': {
    takes: [
      ['input', shape({ identifier: text, userId: optional(userId) })],
      ['context', context],
    ],
  },
  'attempt.fail': { takes: [['reason', anything]] },
  'attempt.succeed': {
    takes: [
      ['userId', userId],
      ['grant', grant],
    ],
  },
  'users.create': {
    takes: [
      ['input', shape({ ...credentials, roles: optional(list) })],
      ['context', context],
    ],
  },
  'users.import': {
    takes: [
      ['rows', rows],
      [
        'options',
        optional(shape({ dryRun: optional(flag), onRefused: optional(callback), onProgress: optional(callback) })),
      ],
      ['context', context],
    ],
  },
  'users.find': { takes: [['userId', userId]] },
  'users.findByIdentifier': { takes: [['identifier', text]] },
  'users.list': { takes: [['options', page]] },
  'users.search': {
    takes: [
      ['beginning', text],
      ['options', page],
    ],
  },
  'users.disable': {
    takes: [
      ['userId', userId],
      ['context', context],
    ],
  },
  'users.enable': {
    takes: [
      ['userId', userId],
      ['context', context],
    ],
  },
  'users.setPassword': {
    takes: [
      ['userId', text],
      ['password', text],
      ['context', context],
    ],
  },
  'users.grantRole': {
    takes: [
      ['userId', userId],
      ['role', text],
      ['context', context],
    ],
  },
  'users.revokeRole': {
    takes: [
      ['userId', userId],
      ['role', text],
      ['context', context],
    ],
  },
  'users.unlock': {
    takes: [
      ['identifier', text],
      ['context', context],
    ],
  },
  'users.anyoneHasRole': { takes: [['role', text]] },
  'users.lookalikes': { takes: [['userId', text]] },
  'sessions.start': {
    takes: [
      ['userId', userId],
      ['grant', grant],
      ['context', context],
    ],
  },
  'sessions.find': { takes: [['sessionId', text]] },
  'sessions.list': { takes: [['userId', userId]] },
  'sessions.search': {
    takes: [
      ['filter', shape({ userId: optional(userId), state: optional(oneOf('live', 'ended', 'all')) })],
      ['options', page],
    ],
  },
  'sessions.listEnded': {
    takes: [
      ['userId', userId],
      ['options', page],
    ],
  },
  'sessions.end': {
    takes: [
      ['sessionId', text],
      ['reason', text],
      ['context', context],
    ],
  },
  'sessions.endAll': {
    takes: [
      ['userId', userId],
      ['reason', text],
      ['context', context],
    ],
  },
  'sessions.disown': {
    takes: [
      ['input', shape({ userId, eventId: text })],
      ['context', context],
    ],
  },
  'tokens.verify': { takes: [['accessToken', text]], untracked: true },
  'tokens.introspect': { takes: [['token', text]] },
  'tokens.revoke': {
    takes: [
      ['token', text],
      ['context', context],
    ],
  },
  'tokens.jwks': { takes: [], atOnce: true },
  'keys.list': { takes: [] },
  'keys.rotate': { takes: [['context', context]] },
  'keys.revoke': {
    takes: [
      ['keyId', text],
      ['context', context],
    ],
  },
  'revocations.read': {
    takes: [
      ['options', optional(shape({ after: optional(text), waitSeconds: optional(number), signal: optional(signal) }))],
    ],
  },
  'revocations.release': { takes: [], atOnce: true, always: true },
  'revocations.status': { takes: [], atOnce: true },
  'clients.create': {
    takes: [
      ['input', shape({ name: text, redirectUris: optional(texts) })],
      ['context', context],
    ],
  },
  'clients.createPublic': {
    takes: [
      ['input', shape({ name: text, redirectUris: texts })],
      ['context', context],
    ],
  },
  'clients.find': { takes: [['clientId', text]] },
  'clients.list': { takes: [['options', page]] },
  'clients.revoke': {
    takes: [
      ['clientId', text],
      ['context', context],
    ],
  },
  'clients.authenticate': {
    takes: [
      ['credentials', shape({ id: text, secret: text })],
      ['context', context],
    ],
  },
  'authorizations.check': {
    takes: [
      ['request', shape({ clientId: text, redirectUri: text })],
      ['context', context],
    ],
  },
  'authorizations.issue': {
    takes: [
      ['request', shape({ sessionId: text, clientId: text, redirectUri: text, codeChallenge: text })],
      ['context', context],
    ],
  },
  'authorizations.redeem': {
    takes: [
      [
        'redemption',
        shape({ code: text, clientId: text, clientSecret: optional(text), redirectUri: text, codeVerifier: text }),
      ],
      ['context', context],
    ],
  },
  'authorizations.revoke': {
    takes: [
      ['input', shape({ token: text, clientId: text, clientSecret: optional(text) })],
      ['context', context],
    ],
  },
  'authorizations.refresh': {
    takes: [
      ['input', shape({ refreshToken: text, clientId: text, clientSecret: optional(text) })],
      ['context', context],
    ],
  },
  'log.append': {
    takes: [
      [
        'event',
        shape({
          type: text,
          outcome: optional(text),
          userId: optional(userId),
          sessionId: optional(text),
          data: optional(object),
        }),
      ],
      ['options', context],
    ],
  },
  'log.find': { takes: [['eventId', text]] },
  'log.search': {
    takes: [
      ['filter', filter],
      ['options', page],
    ],
  },
  'log.read': {
    takes: [
      ['filter', filter],
      ['options', page],
      ['context', shape(CONTEXT_MEMBERS)],
    ],
  },
  'log.activity': {
    takes: [
      ['userId', userId],
      ['options', page],
    ],
  },
  'log.flush': { takes: [] },
  'log.overview': {
    takes: [['options', optional(shape({ from: optional(number), to: optional(number), buckets: optional(number) }))]],
  },
  'log.address': {
    takes: [
      ['address', text],
      ['window', shape({ from: optional(number), to: optional(number) })],
      ['context', shape(CONTEXT_MEMBERS)],
    ],
  },
  'log.status': { takes: [], atOnce: true },
  'log.integrity': { takes: [] },
  'log.adopt': { takes: [['context', context]] },
  'log.recover': {
    takes: [
      ['options', optional(shape({ checkpoints: optional(texts), quarantine: optional(text) }))],
      ['context', context],
    ],
  },
  'log.tail': {
    takes: [
      ['options', optional(shape({ last: optional(number), filter: optional(filter), signal: optional(signal) }))],
    ],
    atOnce: true,
  },
  'log.watch': {
    takes: [
      [
        'options',
        optional(
          shape({
            filter: optional(filter),
            after: optional(text),
            idleMilliseconds: optional(duration),
            signal: optional(signal),
          }),
        ),
      ],
    ],
    atOnce: true,
  },
  'log.release': { takes: [], atOnce: true, always: true },
  'log.expire': {
    takes: [
      ['options', optional(shape({ dryRun: optional(flag) }))],
      ['context', context],
    ],
  },
  'log.prune': {
    takes: [
      ['options', optional(shape({ before: optional(number), dryRun: optional(flag) }))],
      ['context', context],
    ],
  },
  'log.previewErasure': { takes: [['target', erasureTarget]] },
  'log.erase': {
    takes: [
      ['target', erasureTarget],
      ['options', optional(shape({ reference: optional(text) }))],
      ['context', context],
    ],
  },
  'log.holds.add': {
    takes: [
      [
        'input',
        shape({
          userId: optional(userId),
          identifier: optional(text),
          from: optional(number),
          to: optional(number),
          reason: text,
          reference: optional(text),
        }),
      ],
      ['context', context],
    ],
  },
  'log.holds.list': { takes: [] },
  'log.holds.release': {
    takes: [
      ['holdId', text],
      ['context', context],
    ],
  },
  'log.prove': {
    takes: [
      ['eventId', text],
      ['context', context],
    ],
  },
  'log.checkpoint': { takes: [] },
  'log.file': { takes: [['path', text]] },
  'log.leaves': {
    takes: [
      ['range', shape({ from: number, to: number })],
      ['context', context],
    ],
    atOnce: true,
  },
  'log.checkpoints': { takes: [['after', optional(shape({ epoch: number, size: number }))]], atOnce: true },
  'log.audit': {
    takes: [
      [
        'options',
        optional(
          shape({
            checkpoints: optional(texts),
            keys: optional(texts),
            resume: optional(text),
            reconcile: optional(flag),
            signal: optional(signal),
          }),
        ),
      ],
      ['context', context],
    ],
    atOnce: true,
  },
  'audits.start': {
    takes: [
      ['options', optional(shape({ reconcile: optional(flag) }))],
      ['context', context],
    ],
  },
  'audits.current': { takes: [], atOnce: true },
  'audits.cancel': { takes: [] },
  configuration: { takes: [], atOnce: true },
  ready: { takes: [], untracked: true, always: true },
  close: { takes: [], atOnce: true, always: true },
}

/** Throws ERR_ARGUMENT_INVALID, whose detail names the argument and what kind of value it is, never the value. */
export function checkArguments(path: string, given: readonly unknown[]): void {
  for (const [at, [name, check]] of ARGUMENTS[path]!.takes.entries()) {
    const wrong = check(given[at], name)
    if (wrong !== null) throw new GatebookError('ERR_ARGUMENT_INVALID', { detail: `${path}: ${wrong}` })
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameKind(value: unknown): string {
  if (value === null || value === undefined || Number.isNaN(value)) return String(value)
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}
