import { describe, expect, test } from 'vitest'
import { ARGUMENTS } from '../../src/api-arguments.ts'
import { type ErrorCode, GatebookError } from '../../src/errors.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, PASSWORD } from '../support/gate.ts'

/** What JavaScript lets through where TypeScript would not, and strings that no method can do anything with. */
const JUNK: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 1],
  ['not a number', Number.NaN],
  ['a large number', 2 ** 60],
  ['a bigint', 1n],
  ['true', true],
  ['a symbol', Symbol('junk')],
  ['a function', () => 'junk'],
  ['an empty object', {}],
  ['an empty array', []],
  ['an empty string', ''],
  ['a NUL', '\0'],
  ['half a character', '\ud800'],
  ['a long string', 'x'.repeat(100_000)],
  ['an object without a prototype', Object.create(null)],
  ['a promise', Promise.resolve('junk')],
]

/** In the place of the arguments that come before. */
const RIGHT: Readonly<Record<string, unknown>> = {
  input: { identifier: 'anna@app.example', password: PASSWORD, token: 'x', newPassword: PASSWORD },
  filter: {},
  options: {},
  userId: 'usr_01m8bzjdxxm4aj5wey65bkyydt',
  grant: {},
  role: 'reader',
  reason: 'logout',
  sessionId: 'ses_01m8bzjdxxm4aj5wey65bkyydt',
  password: PASSWORD,
  event: { type: 'app.test' },
  headers: new Headers(),
  request: new Request('http://localhost/auth/me'),
  rows: [],
}

/** Names of members that objects are taken for, each holding junk. */
function withMembers(value: unknown): object {
  const names = [
    'identifier',
    'password',
    'token',
    'newPassword',
    'currentPassword',
    'claims',
    'type',
    'data',
    'userId',
  ]
  const others = [
    'roles',
    'limit',
    'cursor',
    'ip',
    'actor',
    'ipSource',
    'from',
    'user',
    'scope',
    'url',
    'headers',
    'tx',
  ]
  return Object.fromEntries([...names, ...others].map((name) => [name, value]))
}

type Method = (...given: unknown[]) => unknown

function listMethods(api: object, prefix = ''): [path: string, method: Method][] {
  return Object.entries(api).flatMap(([name, member]): [string, Method][] => {
    if (typeof member === 'function') return [[prefix + name, member as Method]]
    return typeof member === 'object' && member !== null ? listMethods(member, `${prefix}${name}.`) : []
  })
}

/** The code of the refusal; null when there was none. Throws for whatever is no error of ours. */
async function codeOf(method: Method, given: readonly unknown[]): Promise<ErrorCode | null> {
  try {
    const result = await method(...given)
    // An iterator says what is wrong at its first step; one that waits has nothing against its arguments.
    if (Symbol.asyncIterator in Object(result)) {
      await Promise.race([(result as AsyncGenerator).next(), new Promise((resolve) => setTimeout(resolve, 50))])
    }
    return null
  } catch (error) {
    if (error instanceof GatebookError) return error.code
    throw error
  }
}

const CONTEXT = {
  accessTokenMaxBytes: 4000,
  ...{ ip: '203.0.113.9', ipSource: 'application', userAgent: 'x', requestId: 'r', traceId: 't' },
  ...{ deviceToken: 'gbd_x', language: 'ko', actor: { kind: 'system', id: 'cli' } },
}
const CREDENTIALS = { identifier: 'anna@app.example', password: PASSWORD }
const PAGE = { limit: 5, cursor: 'NQ' }
const GRANT = { roles: ['reader'], claims: { a: 1 }, method: 'password' }
const VALUES = {
  ...{ type: 'app.x', outcome: 'success', reason: 'disabled', user: '7', identifier: 'x', ip: '::1', session: 'x' },
  ...{ request: 'r', device: 'd', event: 'e' },
}
const FILTER = { ...VALUES, not: VALUES, from: 1, to: 2 }
const ID = 'usr_01m8bzjdxxm4aj5wey65bkyydt'

/** Every member of every object that a method takes, as `api.ts` has it: written out, so that a check that is missing shows. */
const WHOLE: Readonly<Record<string, readonly unknown[]>> = {
  fetch: [new Request('http://localhost/'), { remoteAddress: '::1' }],
  exchange: [new Request('http://localhost/'), { remoteAddress: '::1' }],
  contextOf: [new Headers(), { remoteAddress: '::1' }],
  authenticate: [new Request('http://localhost/'), { role: 'x', maxAgeSeconds: 1, optional: true }, CONTEXT],
  register: [{ ...CREDENTIALS, invitation: 'x' }, CONTEXT],
  login: [CREDENTIALS, CONTEXT],
  refresh: ['gbr_x', CONTEXT],
  logout: [{ accessToken: 'x', refreshToken: 'x', scope: 'all' }, CONTEXT],
  changePassword: [{ claims: { userId: ID, sessionId: 'x' }, currentPassword: 'x', newPassword: PASSWORD }, CONTEXT],
  'registrations.request': [CREDENTIALS, CONTEXT],
  'registrations.confirm': [{ token: 'x', password: PASSWORD }, CONTEXT],
  'passwordResets.request': [{ identifier: 'x' }, CONTEXT],
  'passwordResets.issue': [ID, CONTEXT],
  'passwordResets.complete': [{ token: 'x', newPassword: PASSWORD }, CONTEXT],
  'invitations.create': [{ identifier: 'x', roles: ['a'], expiresInSeconds: 60, send: false }, CONTEXT],
  'invitations.list': [PAGE],
  'invitations.revoke': ['inv_x', CONTEXT],
  'attempts.begin': [{ identifier: 'x', userId: 7 }, CONTEXT],
  'attempt.fail': ['disabled'],
  'attempt.succeed': [7, GRANT],
  'users.create': [{ ...CREDENTIALS, roles: ['a'] }, CONTEXT],
  'users.import': [[], { dryRun: true, onRefused: () => 1, onProgress: () => 1 }, CONTEXT],
  'users.list': [PAGE],
  'users.search': ['x', PAGE],
  'users.setPassword': [ID, PASSWORD, CONTEXT],
  'users.grantRole': [ID, 'reader', CONTEXT],
  'users.unlock': ['x', CONTEXT],
  'sessions.start': [7, GRANT, CONTEXT],
  'sessions.listEnded': [7, PAGE],
  'sessions.end': ['x', 'logout', CONTEXT],
  'sessions.endAll': [7, 'logout', CONTEXT],
  'sessions.disown': [{ userId: 7, eventId: 'x' }, CONTEXT],
  'tokens.verify': ['x'],
  'tokens.introspect': ['x'],
  'tokens.revoke': ['x', CONTEXT],
  'revocations.read': [{ after: '0', waitSeconds: 0, signal: AbortSignal.abort() }],
  'clients.create': [{ name: 'x' }, CONTEXT],
  'clients.createPublic': [{ name: 'x', redirectUris: ['https://x.example/back'] }, CONTEXT],
  'clients.find': ['cli_x'],
  'authorizations.check': [{ clientId: 'x', redirectUri: 'x' }, CONTEXT],
  'authorizations.issue': [{ sessionId: 'x', clientId: 'x', redirectUri: 'x', codeChallenge: 'x' }, CONTEXT],
  'authorizations.redeem': [{ code: 'x', clientId: 'x', redirectUri: 'x', codeVerifier: 'x' }, CONTEXT],
  'authorizations.revoke': [{ token: 'x', clientId: 'x' }, CONTEXT],
  'authorizations.refresh': [{ refreshToken: 'x', clientId: 'x' }, CONTEXT],
  'clients.list': [PAGE],
  'clients.revoke': ['cli_x', CONTEXT],
  'clients.authenticate': [{ id: 'x', secret: 'x' }, CONTEXT],
  'log.append': [{ type: 'app.x', outcome: 'success', userId: 7, sessionId: 'x', data: { a: 1 } }, CONTEXT],
  'log.search': [FILTER, PAGE],
  'log.read': [FILTER, PAGE, CONTEXT],
  'audits.start': [{ reconcile: true }, CONTEXT],
  'sessions.search': [{ userId: ID, state: 'all' }, PAGE],
  'log.overview': [{ from: 1, to: 2, buckets: 3 }],
  'log.address': ['::1', { from: 1, to: 2 }, CONTEXT],
  'log.activity': [7, PAGE],
  'log.flush': [],
  'log.expire': [{ dryRun: true }, CONTEXT],
  'log.prune': [{ before: 1, dryRun: true }, CONTEXT],
  'log.previewErasure': [{ userId: 7, identifier: 'x' }],
  'log.erase': [{ userId: 7, identifier: 'x' }, { reference: 'x' }, CONTEXT],
  'log.holds.add': [{ userId: 7, identifier: 'x', from: 1, to: 2, reason: 'x', reference: 'x' }, CONTEXT],
  'log.holds.list': [],
  'log.holds.release': ['hld_x', CONTEXT],
  'log.prove': ['evt_x', CONTEXT],
  'log.file': ['tile/0/000'],
  'log.leaves': [{ from: 0, to: 0 }, CONTEXT],
  'log.checkpoints': [{ epoch: 1, size: 0 }],
  'log.watch': [{ filter: FILTER, after: 'x', idleMilliseconds: 1, signal: new AbortController().signal }],
  'log.tail': [{ last: 1, filter: FILTER, signal: AbortSignal.abort() }],
  'log.audit': [{ checkpoints: [], keys: [], resume: 'x', signal: AbortSignal.abort() }, CONTEXT],
}

/** The same with one leaf that no method can do anything with, for every leaf. */
function* spoilt(value: unknown, path: string): Generator<readonly [path: string, value: unknown]> {
  yield [path, Symbol('junk')]
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return
  for (const [name, member] of Object.entries(value)) {
    for (const [where, junk] of spoilt(member, `${path}.${name}`)) yield [where, { ...value, [name]: junk }]
  }
}

const NO_OP = async () => undefined
const SENDERS = { sendReset: NO_OP, sendConfirmation: NO_OP, sendInvitation: NO_OP }
/** They take nothing. */
const UNTESTED = new Set(['ready', 'close'])

describe.each(availableEngines)('on $name', (engine) => {
  test('a value of a wrong type is refused with a code, by every method, for every argument', async () => {
    const { gate } = await openOwnGate(engine, { ...SENDERS, registration: 'confirm' })
    const attempt = await gate.attempts.begin({ identifier: 'anna@app.example' })
    const methods = [...listMethods(gate), ...listMethods(attempt, 'attempt.')].filter(([path]) => !UNTESTED.has(path))
    expect(methods.map(([path]) => path).toSorted()).toEqual(
      Object.keys(ARGUMENTS)
        .filter((path) => !UNTESTED.has(path))
        .toSorted(),
    )
    const wrong: string[] = []
    for (const [path, method] of methods) {
      for (const [at] of ARGUMENTS[path]!.takes.entries()) {
        const before = ARGUMENTS[path]!.takes.slice(0, at).map(([name]) => RIGHT[name])
        for (const [name, value] of JUNK) {
          for (const junk of [value, withMembers(value)]) {
            const asked = `${path}, argument ${at}: ${junk === value ? name : `members that are ${name}`}`
            const code = await codeOf(method, [...before, junk]).catch((error: Error) =>
              wrong.push(`${asked}: ${error.stack?.split('\n').slice(0, 3).join(' ')}`),
            )
            if (code === 'ERR_INTERNAL' || code === 'ERR_DATABASE') wrong.push(`${asked}: ${code}`)
          }
        }
      }
    }
    expect(wrong).toEqual([])
  })
})

test('a symbol in the place of any value is refused, wherever it stands', async () => {
  const { gate } = await openOwnGate(availableEngines[0]!, { ...SENDERS, registration: 'confirm' })
  const accepted: string[] = []
  for (const [path, whole] of Object.entries(WHOLE)) {
    for (const at of whole.keys()) {
      for (const [where, junk] of spoilt(whole[at], `${at}`)) {
        const attempt = await gate.attempts.begin({ identifier: `${path}${where}@app.example` })
        const method = new Map([...listMethods(gate), ...listMethods(attempt, 'attempt.')]).get(path)!
        const code = await codeOf(method, whole.with(at, junk))
        if (code === null) accepted.push(`${path}: ${where}`)
      }
    }
  }
  // What is in the claims is the application's; JSON leaves out what it cannot write.
  expect(accepted).toEqual(['attempt.succeed: 1.claims.a', 'sessions.start: 1.claims.a'])
})

test('the refusal names the argument and the kind of the value, never the value', async () => {
  const { gate } = await openOwnGate(availableEngines[0]!)
  const given = { identifier: 'anna@app.example', password: ['hunter2'] } as never
  await expect(gate.login(given)).rejects.toMatchObject({
    code: 'ERR_ARGUMENT_INVALID',
    status: 422,
    detail: 'login: input.password is an array; a string is expected.',
  })
  await expect(gate.users.list({ limit: '5' } as never)).rejects.toMatchObject({
    detail: 'users.list: options.limit is of type string; a number is expected.',
  })
})
