import type { Gatebook, SessionTokens } from '../../src/api.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createRowSeal } from '../../src/secret/row-seal.ts'
import { generateOneTimeToken } from '../../src/token/one-time.ts'
import { sealOneTimeToken } from '../../src/token/one-time-row.ts'
import { PASSWORD, type Person, SECRET, type TestGate, WRONG_PASSWORD } from '../support/gate.ts'

/** Settings under which the flows below meet every limit after a few steps. */
export const FLOW_OPTIONS: Partial<GatebookOptions> & {
  readonly sessionsPerUser: number
  readonly refreshIdleSeconds: number
} = {
  sessionsPerUser: 3,
  throttlePairFree: 2,
  refreshIdleSeconds: 3600,
  sendReset() {},
  sendConfirmation() {},
}

export interface FlowCase {
  readonly name: string
  /** Code that the flow is refused with when nothing goes wrong. */
  readonly refusal?: string
  /** Sets the scene through `on.gate`, and returns the flow itself, to be run on another gate. */
  prepare(on: TestGate): Promise<(gate: Gatebook) => Promise<unknown>>
}

async function registered(on: TestGate): Promise<Person & SessionTokens> {
  const person = on.person()
  return { ...person, ...(await on.gate.register(person, person.context)) }
}

/** A registration that waits, and a token for it: the one that was mailed is nowhere to be found. */
async function waiting(on: TestGate): Promise<Person & { readonly token: string }> {
  const person = on.person()
  await on.gate.registrations.request(person, person.context)
  const { token, digest } = generateOneTimeToken('confirm')
  const { kysely } = on.direct
  const row = await kysely
    .selectFrom('gatebook_one_time_token')
    .selectAll()
    .where('identifier', '=', person.identifier)
    .executeTakeFirstOrThrow()
  const mac = sealOneTimeToken(createRowSeal(parseMasterSecret(SECRET, 'secret')), { ...row, secret_digest: digest })
  await kysely
    .updateTable('gatebook_one_time_token')
    .set({ secret_digest: digest, mac })
    .where('id', '=', row.id)
    .execute()
  return { ...person, token }
}

let applicationUsers = 0

/** One session of an application's user: without a hash, so that it is quick. */
function started(on: TestGate): Promise<SessionTokens> {
  return on.gate.sessions.start(`app-${++applicationUsers}`, { roles: ['reader'] }, on.person().context)
}

async function startedMore(on: TestGate, count: number): Promise<SessionTokens[]> {
  const sessions = [await started(on)]
  while (sessions.length < count) sessions.push(await on.gate.sessions.start(sessions[0]!.userId))
  return sessions
}

/** Every way in which anything changes or is refused. */
export const FLOWS: readonly FlowCase[] = [
  {
    name: 'register',
    async prepare(on) {
      const person = on.person()
      return (gate) => gate.register(person, person.context)
    },
  },
  {
    name: 'register a name that is taken',
    refusal: 'ERR_IDENTIFIER_TAKEN',
    async prepare(on) {
      const person = await registered(on)
      return (gate) => gate.register(person, person.context)
    },
  },
  {
    name: 'register with an invitation',
    async prepare(on) {
      const person = on.person()
      const { token: invitation } = await on.gate.invitations.create({ roles: ['editor'] })
      return (gate) => gate.register({ ...person, invitation }, person.context)
    },
  },
  {
    name: 'register a name that is taken with an invitation',
    refusal: 'ERR_IDENTIFIER_TAKEN',
    async prepare(on) {
      const person = await registered(on)
      const { token: invitation } = await on.gate.invitations.create()
      return (gate) => gate.register({ ...person, invitation }, person.context)
    },
  },
  {
    name: 'ask for a registration',
    async prepare(on) {
      const person = on.person()
      return (gate) => gate.registrations.request(person, person.context)
    },
  },
  {
    name: 'ask for a registration of an address that has an account',
    async prepare(on) {
      const person = await registered(on)
      return (gate) => gate.registrations.request(person, person.context)
    },
  },
  {
    name: 'confirm a registration',
    async prepare(on) {
      const { token, context } = await waiting(on)
      return (gate) => gate.registrations.confirm({ token, password: PASSWORD }, context)
    },
  },
  {
    name: 'confirm a registration with a wrong password',
    refusal: 'ERR_PASSWORD_WRONG',
    async prepare(on) {
      const { token, context } = await waiting(on)
      return (gate) => gate.registrations.confirm({ token, password: WRONG_PASSWORD }, context)
    },
  },
  {
    name: 'ask for a reset',
    async prepare(on) {
      const person = await registered(on)
      return (gate) => gate.passwordResets.request(person, person.context)
    },
  },
  {
    name: 'ask for a reset as nobody',
    async prepare(on) {
      const person = on.person()
      return (gate) => gate.passwordResets.request(person, person.context)
    },
  },
  {
    name: 'hand out a reset',
    async prepare(on) {
      const { userId } = await registered(on)
      return (gate) => gate.passwordResets.issue(userId)
    },
  },
  {
    name: 'reset the password of an account that somebody has guessed at',
    async prepare(on) {
      const person = await registered(on)
      await on.gate.login({ ...person, password: WRONG_PASSWORD }, person.context).catch(() => {})
      const { token } = await on.gate.passwordResets.issue(person.userId)
      return (gate) => gate.passwordResets.complete({ token, newPassword: 'yet another pass phrase' }, person.context)
    },
  },
  {
    name: 'reset the password with what is no token',
    refusal: 'ERR_RESET_INVALID',
    async prepare() {
      return (gate) => gate.passwordResets.complete({ token: 'gbp_x', newPassword: 'yet another pass phrase' })
    },
  },
  {
    name: 'invite somebody',
    async prepare() {
      return (gate) => gate.invitations.create({ identifier: 'anna@example.org', roles: ['editor'] })
    },
  },
  {
    name: 'revoke an invitation',
    async prepare(on) {
      const { id } = await on.gate.invitations.create()
      return (gate) => gate.invitations.revoke(id)
    },
  },
  {
    name: 'log in',
    async prepare(on) {
      const person = await registered(on)
      return (gate) => gate.login(person, person.context)
    },
  },
  {
    name: 'log in from a known device with a hash of other parameters',
    async prepare(on) {
      const person = await registered(on)
      await on.direct.kysely
        .updateTable('gatebook_credential')
        .set({ password_hash: await hashWithOtherParameters() })
        .where('user_id', '=', person.userId)
        .execute()
      return (gate) => gate.login(person, { ...person.context, deviceToken: person.deviceToken })
    },
  },
  {
    name: 'log in with a wrong password',
    refusal: 'ERR_LOGIN_REFUSED',
    async prepare(on) {
      const person = await registered(on)
      return (gate) => gate.login({ ...person, password: WRONG_PASSWORD }, person.context)
    },
  },
  {
    name: 'log in as nobody',
    refusal: 'ERR_LOGIN_REFUSED',
    async prepare(on) {
      const person = on.person()
      return (gate) => gate.login(person, person.context)
    },
  },
  {
    name: 'log in while throttled',
    refusal: 'ERR_THROTTLED',
    async prepare(on) {
      const { identifier, context } = on.person()
      for (let count = 0; count < 2; count++) {
        const attempt = await on.gate.attempts.begin({ identifier }, context)
        await attempt.fail('unknown-user')
      }
      return (gate) => gate.login({ identifier, password: PASSWORD }, context)
    },
  },
  {
    name: 'log in with an attempt of the application',
    async prepare(on) {
      const { identifier, context } = on.person()
      const userId = `app-${++applicationUsers}`
      return async (gate) => (await gate.attempts.begin({ identifier, userId }, context)).succeed(userId)
    },
  },
  {
    name: 'fail an attempt of the application',
    async prepare(on) {
      const { identifier, context } = on.person()
      return async (gate) => (await gate.attempts.begin({ identifier, userId: 7 }, context)).fail('second-factor')
    },
  },
  {
    name: 'start a session more than are allowed',
    async prepare(on) {
      const [{ userId }] = (await startedMore(on, FLOW_OPTIONS.sessionsPerUser)) as [SessionTokens]
      return (gate) => gate.sessions.start(userId)
    },
  },
  {
    name: 'start a session of a disabled user',
    refusal: 'ERR_LOGIN_REFUSED',
    async prepare(on) {
      const { userId } = await started(on)
      await on.gate.users.disable(userId)
      return (gate) => gate.sessions.start(userId)
    },
  },
  {
    name: 'refresh',
    async prepare(on) {
      const { refreshToken } = await started(on)
      return (gate) => gate.refresh(refreshToken)
    },
  },
  {
    name: 'refresh once more',
    async prepare(on) {
      const { refreshToken } = await started(on)
      await on.gate.refresh(refreshToken)
      return (gate) => gate.refresh(refreshToken)
    },
  },
  {
    name: 'refresh with a superseded token',
    refusal: 'ERR_REFRESH_SUPERSEDED',
    async prepare(on) {
      const { refreshToken } = await started(on)
      await on.gate.refresh((await on.gate.refresh(refreshToken)).refreshToken)
      return (gate) => gate.refresh(refreshToken)
    },
  },
  {
    name: 'refresh with a reused token',
    refusal: 'ERR_REFRESH_REUSED',
    async prepare(on) {
      const { refreshToken } = await started(on)
      await on.gate.refresh(refreshToken)
      on.clock.advance(21_000)
      return (gate) => gate.refresh(refreshToken)
    },
  },
  {
    name: 'refresh a session that has expired',
    refusal: 'ERR_REFRESH_EXPIRED',
    async prepare(on) {
      const { refreshToken } = await started(on)
      on.clock.advance(FLOW_OPTIONS.refreshIdleSeconds * 1000)
      return (gate) => gate.refresh(refreshToken)
    },
  },
  {
    name: 'refresh with what is no token',
    refusal: 'ERR_REFRESH_INVALID',
    async prepare() {
      return (gate) => gate.refresh('gbr_nothing')
    },
  },
  {
    name: 'log out',
    async prepare(on) {
      const { accessToken } = await started(on)
      return (gate) => gate.logout({ accessToken })
    },
  },
  {
    name: 'log out everywhere',
    async prepare(on) {
      const [{ refreshToken }] = (await startedMore(on, 3)) as [SessionTokens]
      return (gate) => gate.logout({ refreshToken, scope: 'all' })
    },
  },
  {
    name: 'end a session',
    async prepare(on) {
      const { sessionId } = await started(on)
      return (gate) => gate.sessions.end(sessionId, 'ended-by-admin')
    },
  },
  {
    name: 'end all sessions',
    async prepare(on) {
      const [{ userId }] = (await startedMore(on, 2)) as [SessionTokens]
      return (gate) => gate.sessions.endAll(userId, 'ended-by-application')
    },
  },
  {
    name: 'change the password',
    async prepare(on) {
      const person = await registered(on)
      await on.gate.login(person)
      const claims = await on.gate.tokens.verify(person.accessToken)
      const input = { claims, currentPassword: PASSWORD, newPassword: 'yet another pass phrase' }
      return (gate) => gate.changePassword(input, person.context)
    },
  },
  {
    name: 'fail to change the password',
    refusal: 'ERR_PASSWORD_WRONG',
    async prepare(on) {
      const person = await registered(on)
      const claims = await on.gate.tokens.verify(person.accessToken)
      const input = { claims, currentPassword: WRONG_PASSWORD, newPassword: 'yet another pass phrase' }
      return (gate) => gate.changePassword(input, person.context)
    },
  },
  {
    name: 'set the password',
    async prepare(on) {
      const { userId } = await registered(on)
      return (gate) => gate.users.setPassword(userId, 'yet another pass phrase')
    },
  },
  {
    name: 'make a user',
    async prepare(on) {
      const person = on.person()
      return (gate) => gate.users.create({ ...person, roles: ['admin', 'editor'] })
    },
  },
  {
    name: 'import users',
    async prepare(on) {
      const passwordHash =
        'pbkdf2:sha256:1000$XTifDwGfdiKzBBmB$9173cbf34fd1886aa3970a6da2c9c562435af0b1da2397b109d65011714972ec'
      const people = [on.person(), on.person(), on.person()]
      const rows = people.map(({ identifier }, place) => ({
        identifier,
        passwordHash,
        roles: place === 0 ? ['editor', 'author'] : [],
        disabled: place === 1,
        confirmed: place === 2,
      }))
      return (gate) => gate.users.import(rows)
    },
  },
  {
    name: 'disable a user',
    async prepare(on) {
      const [{ userId }] = (await startedMore(on, 2)) as [SessionTokens]
      return (gate) => gate.users.disable(userId)
    },
  },
  {
    name: 'enable a user',
    async prepare(on) {
      const { userId } = await started(on)
      await on.gate.users.disable(userId)
      return (gate) => gate.users.enable(userId)
    },
  },
  {
    name: 'grant a role',
    async prepare(on) {
      const { userId } = await started(on)
      return (gate) => gate.users.grantRole(userId, 'admin')
    },
  },
  {
    name: 'revoke a role',
    async prepare(on) {
      const { userId } = await started(on)
      await on.gate.users.grantRole(userId, 'admin')
      return (gate) => gate.users.revokeRole(userId, 'admin')
    },
  },
  {
    name: 'unlock an account',
    async prepare(on) {
      const { identifier, context } = on.person()
      await on.gate.attempts.begin({ identifier }, context).then((attempt) => attempt.fail('unknown-user'))
      return (gate) => gate.users.unlock(identifier)
    },
  },
  {
    name: 'append an event of the application',
    async prepare() {
      return (gate) => gate.log.append({ type: 'app.order.placed', userId: 7 })
    },
  },
  {
    name: 'read the log',
    async prepare() {
      return (gate) => gate.log.read({ type: 'login.*' }, { limit: 1 }, { actor: { kind: 'admin', id: 'x' } })
    },
  },
]

async function hashWithOtherParameters(): Promise<string> {
  const { createArgon2idHasher } = await import('../../src/credential/hashers/argon2id.ts')
  return createArgon2idHasher({ memoryKib: 8192, iterations: 1, parallelism: 1 }).hash(PASSWORD)
}
