import { GatebookError } from './errors.ts'

/** Returns null, or what is expected instead. `at` names the place, for the reader. */
type Check = (value: unknown, at: string) => string | null

const kind =
  (expected: string, accepts: (value: unknown) => boolean): Check =>
  (value, at) =>
    accepts(value) ? null : `${at} is ${nameKind(value)}; ${expected} is expected.`

const text = kind('a string', (value) => typeof value === 'string')
const number = kind('a number', (value) => typeof value === 'number')
const flag = kind('true or false', (value) => typeof value === 'boolean')
const object = kind('an object', isObject)
const list = kind('an array', Array.isArray)
/** What the flow refuses with a code of its own. */
const anything: Check = () => null
const callback = kind('a function', (value) => typeof value === 'function')
const signal = kind('an AbortSignal', (value) => isObject(value) && typeof value.addEventListener === 'function')
const headers = kind('a Headers object', (value) => isObject(value) && typeof value.get === 'function')
const rows = kind(
  'an iterable of objects',
  (value) => typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value),
)
const userId = kind('a string or a number', (value) => typeof value === 'string' || typeof value === 'number')

function optional(check: Check): Check {
  return (value, at) => (value === undefined ? null : check(value, at))
}

/** An object with at least these members; what else it has is not looked at. */
function shape(members: Readonly<Record<string, Check>>): Check {
  return (value, at) => {
    if (!isObject(value)) return object(value, at)
    for (const [name, check] of Object.entries(members)) {
      const wrong = check(value[name], `${at}.${name}`)
      if (wrong !== null) return wrong
    }
    return null
  }
}

const CONTEXT_MEMBERS = {
  ip: optional(text),
  ipSource: optional(text),
  userAgent: optional(text),
  requestId: optional(text),
  traceId: optional(text),
  deviceToken: optional(text),
  language: optional(text),
  actor: optional(shape({ kind: text, id: optional(text) })),
}
const context = optional(shape(CONTEXT_MEMBERS))
const page = optional(shape({ limit: optional(number), cursor: optional(text) }))
const grant = optional(shape({ roles: optional(list), method: optional(text) }))
const credentials = { identifier: text, password: text }
const connection = optional(shape({ remoteAddress: optional(text) }))
const filter = shape({
  type: optional(text),
  outcome: optional(text),
  reason: optional(text),
  user: optional(userId),
  identifier: optional(text),
  ip: optional(text),
  session: optional(text),
  request: optional(text),
  device: optional(text),
  from: optional(number),
  to: optional(number),
})

/** The types of what every public method takes, by its path in the object; values are the business of the flows. */
export const ARGUMENTS: Readonly<Record<string, readonly (readonly [name: string, check: Check])[]>> = {
  fetch: [
    ['request', shape({ headers, url: text, method: text })],
    ['connection', connection],
  ],
  handles: [['path', text]],
  contextOf: [
    ['headers', headers],
    ['connection', connection],
  ],
  register: [
    ['input', shape({ ...credentials, invitation: optional(text) })],
    ['context', context],
  ],
  login: [
    ['input', shape(credentials)],
    ['context', context],
  ],
  refresh: [
    ['refreshToken', text],
    ['context', context],
  ],
  logout: [
    ['input', shape({ accessToken: optional(text), refreshToken: optional(text), scope: optional(text) })],
    ['context', context],
  ],
  changePassword: [
    ['input', shape({ claims: shape({ userId: text, sessionId: text }), currentPassword: text, newPassword: text })],
    ['context', context],
  ],
  'registrations.request': [
    ['input', shape(credentials)],
    ['context', context],
  ],
  'registrations.confirm': [
    ['input', shape({ token: text, password: text })],
    ['context', context],
  ],
  'passwordResets.request': [
    ['input', shape({ identifier: text })],
    ['context', context],
  ],
  'passwordResets.issue': [
    ['userId', userId],
    ['context', context],
  ],
  'passwordResets.complete': [
    ['input', shape({ token: text, newPassword: text })],
    ['context', context],
  ],
  'invitations.create': [
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
  'invitations.list': [['options', page]],
  'invitations.revoke': [
    ['invitationId', text],
    ['context', context],
  ],
  'attempts.begin': [
    ['input', shape({ identifier: text, userId: optional(userId) })],
    ['context', context],
  ],
  'attempt.fail': [['reason', anything]],
  'attempt.succeed': [
    ['userId', userId],
    ['grant', grant],
  ],
  'users.create': [
    ['input', shape({ ...credentials, roles: optional(list) })],
    ['context', context],
  ],
  'users.import': [
    ['rows', rows],
    [
      'options',
      optional(shape({ dryRun: optional(flag), onRefused: optional(callback), onProgress: optional(callback) })),
    ],
    ['context', context],
  ],
  'users.find': [['userId', userId]],
  'users.findByIdentifier': [['identifier', text]],
  'users.list': [['options', page]],
  'users.disable': [
    ['userId', userId],
    ['context', context],
  ],
  'users.enable': [
    ['userId', userId],
    ['context', context],
  ],
  'users.setPassword': [
    ['userId', userId],
    ['password', text],
    ['context', context],
  ],
  'users.grantRole': [
    ['userId', userId],
    ['role', text],
    ['context', context],
  ],
  'users.revokeRole': [
    ['userId', userId],
    ['role', text],
    ['context', context],
  ],
  'users.unlock': [
    ['identifier', text],
    ['context', context],
  ],
  'users.anyoneHasRole': [['role', text]],
  'users.lookalikes': [['userId', userId]],
  'sessions.start': [
    ['userId', userId],
    ['grant', grant],
    ['context', context],
  ],
  'sessions.find': [['sessionId', text]],
  'sessions.list': [['userId', userId]],
  'sessions.end': [
    ['sessionId', text],
    ['reason', text],
    ['context', context],
  ],
  'sessions.endAll': [
    ['userId', userId],
    ['reason', text],
    ['context', context],
  ],
  'tokens.verify': [['accessToken', text]],
  'tokens.jwks': [],
  'log.append': [
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
  'log.find': [['eventId', text]],
  'log.search': [
    ['filter', filter],
    ['options', page],
  ],
  'log.read': [
    ['filter', filter],
    ['options', page],
    ['context', shape(CONTEXT_MEMBERS)],
  ],
  'log.activity': [
    ['userId', userId],
    ['options', page],
  ],
  'log.tail': [
    ['options', optional(shape({ last: optional(number), filter: optional(filter), signal: optional(signal) }))],
  ],
}

/** Throws ERR_ARGUMENT_INVALID, whose detail names the argument and what kind of value it is, never the value. */
export function checkArguments(path: string, given: readonly unknown[]): void {
  for (const [at, [name, check]] of (ARGUMENTS[path] ?? []).entries()) {
    const wrong = check(given[at], name)
    if (wrong !== null) throw new GatebookError('ERR_ARGUMENT_INVALID', { detail: `${path}: ${wrong}` })
  }
}

function isObject(value: unknown): value is Record<string | symbol, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameKind(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}
