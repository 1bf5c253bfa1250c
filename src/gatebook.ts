/** The only file that wires the parts together. */
import type { Gatebook } from './api.ts'
import { defaultHashConcurrency } from './credential/hash-queue.ts'
import { createPasswords } from './credential/passwords.ts'
import { GatebookError } from './errors.ts'
import { appendApplicationEvent } from './flow/append-event.ts'
import { beginAttempt } from './flow/attempt.ts'
import { changePassword, setPassword } from './flow/change-password.ts'
import { grantRole, revokeRole } from './flow/change-role.ts'
import { authenticateClient, createClient, listClients, revokeClient } from './flow/client.ts'
import { confirmRegistration, requestRegistration } from './flow/confirm-registration.ts'
import { createUser } from './flow/create-user.ts'
import { disableUser, enableUser } from './flow/disable-user.ts'
import { endAllSessions, endSession } from './flow/end-session.ts'
import { importUsers } from './flow/import-users.ts'
import { introspect } from './flow/introspect.ts'
import { createInvitation, listInvitations, revokeInvitation } from './flow/invite.ts'
import { login } from './flow/login.ts'
import { logout } from './flow/logout.ts'
import type { FlowParts } from './flow/parts.ts'
import { readLog } from './flow/read-log.ts'
import { readRevocations } from './flow/read-revocations.ts'
import { refresh } from './flow/refresh.ts'
import { register } from './flow/register.ts'
import { completePasswordReset, issuePasswordReset, requestPasswordReset } from './flow/reset-password.ts'
import { revokeToken } from './flow/revoke-token.ts'
import { advanceKeys, listKeys, openKeys, revokeKey, rotateKey } from './flow/rotate-key.ts'
import { startApplicationSession } from './flow/start-application-session.ts'
import { unlock } from './flow/unlock.ts'
import { createApiGuard } from './guard-api.ts'
import { createAuthenticator } from './http/authenticate.ts'
import { type ContextReader, createContextReader } from './http/context.ts'
import { createCookies } from './http/cookie.ts'
import { createCors } from './http/cors.ts'
import { toFetchResponse } from './http/exchange.ts'
import type { HttpHandler } from './http/handler.ts'
import { claimsPath } from './http/paths.ts'
import { createEventLog } from './log/append.ts'
import { createEventReader } from './log/reader.ts'
import { createRefusalLog } from './log/refusal-log.ts'
import { createSequencer } from './log/sequencer.ts'
import { tailEvents } from './log/tail.ts'
import { createTokenRefusals } from './log/token-refusals.ts'
import { createMailLine } from './mail/mail-line.ts'
import { type GatebookOptions, resolveOptions, type Settings } from './options.ts'
import { loadMasterSecret } from './secret/load-secret.ts'
import { createSessionEnder } from './session/end-sessions.ts'
import { expireSessions } from './session/expire-sessions.ts'
import { createSessionReader } from './session/session-reader.ts'
import { createAnnouncer } from './store/announcer.ts'
import type { OpenDatabase } from './store/dialect.ts'
import { listPending, migrateOpen } from './store/migrations/migrate.ts'
import { ensureDatabaseId } from './store/sql/database-id.ts'
import { createSqlStore } from './store/sql/sql-store.ts'
import { ensureViews } from './store/sql/views.ts'
import { createThrottle } from './throttle/throttle.ts'
import { createAccessTokens } from './token/access.ts'
import { createDeviceTokens } from './token/device.ts'
import { renewFeedEpoch } from './token/feed-epoch.ts'
import { KEY_RELOAD_SECONDS } from './token/key-times.ts'
import { forgetOneTimeTokens } from './token/one-time-row.ts'
import { createRefreshTokens } from './token/refresh.ts'
import { createRevocationFeed } from './token/revocation-feed.ts'
import { createRevocationList } from './token/revocations.ts'
import type { Revocation } from './token/revoked-sessions.ts'
import { createKeyRing } from './token/signing-key.ts'
import { createIdentifierKeys } from './user/identifier.ts'
import { parseApplicationUserId, parseUserId } from './user/user-id.ts'
import { createUserReader } from './user/user-reader.ts'
import { systemClock } from './util/clock.ts'
import { type Loop, startLoop } from './util/loop.ts'

const HOUSEKEEPING_MILLISECONDS = 10_000
const FLUSH_MILLISECONDS = 1000
const SETTLE_MILLISECONDS = 100
/** A process that has left no event itself looks at the queue this much more rarely: for what a dead one has left there. */
const IDLE_TICKS = 10
const REVOCATIONS_CHANNEL = 'gatebook_revocation'

/**
 * Opens the database, brings its tables up to date and returns the running Gatebook.
 *
 * Throws ERR_OPTION_INVALID, ERR_OPTION_UNKNOWN, ERR_SECRET_MISSING, ERR_SECRET_WEAK, ERR_SECRET_MISMATCH, ERR_DATABASE or
 * ERR_MIGRATION; `detail` tells what to do.
 */
export async function createGatebook(options: GatebookOptions): Promise<Gatebook> {
  const settings = resolveOptions(options, systemClock, defaultHashConcurrency())
  const contextOf = createContextReader(settings)
  // For its check of the setting, which must not wait for the first request.
  createCors(settings.corsOrigins)
  const database = await options.database.connect()
  try {
    return await openGatebook(settings, database, contextOf)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function openGatebook(settings: Settings, database: OpenDatabase, contextOf: ContextReader): Promise<Gatebook> {
  await prepareTables(settings, database)
  const store = createSqlStore(database, await ensureDatabaseId(database))
  const secret = await loadMasterSecret(store, settings)
  if (!settings.attach) await ensureViews(store, settings)

  const { clock } = settings
  const loops: Loop[] = []
  const sequencer = createSequencer({ store, secret, clock, diagnostics: settings.diagnostics })
  let queued = true
  const onQueued = (): void => {
    queued = true
  }
  const log = createEventLog({ clock, secret, onQueued })
  const refusals = createRefusalLog({ store, log, clock })
  const tokenRefusals = createTokenRefusals({ store, log, clock })
  const counted = [refusals, tokenRefusals]
  const keys = createKeyRing({ store, secret, settings })
  const keyParts = { store, log, secret, settings, keys }
  await (settings.attach ? keys.reload() : openKeys(keyParts))
  const revocations = createRevocationList(store, clock, settings.accessTokenSeconds)
  // A backup may have been brought back meanwhile, and then numbers begin again.
  if (!settings.attach) {
    await renewFeedEpoch(store).catch((error: unknown) =>
      settings.diagnostics.warn({ err: error }, 'The feed of revocations could not be told from the one of before.'),
    )
  }
  await revocations.poll()
  const feed = createRevocationFeed(store, revocations, clock)
  const announcer = createAnnouncer(database.signals, REVOCATIONS_CHANNEL)
  const noting = {
    note(noted: readonly Revocation[]) {
      revocations.note(noted)
      announcer.announce()
    },
  }

  const throttle = createThrottle(store, secret, settings)
  const parts: FlowParts = {
    settings,
    store,
    log,
    refusals,
    throttle,
    passwords: createPasswords(settings),
    accessTokens: createAccessTokens(keys, revocations, settings),
    refreshTokens: createRefreshTokens(secret),
    deviceTokens: createDeviceTokens(secret),
    sessionEnder: createSessionEnder(log, noting, settings),
    identifiers: createIdentifierKeys(secret),
    mails: createMailLine(settings.diagnostics),
  }
  const reader = createEventReader(store, parts.identifiers)
  const users = createUserReader(store)
  const authenticate = createAuthenticator({
    verify: parts.accessTokens.verify,
    refusals: tokenRefusals,
    clock,
    cookies: createCookies(settings),
  })
  const sessions = createSessionReader(store, clock)

  const repeat = (name: string, interval: number, work: () => Promise<unknown>): Loop => {
    const loop = startLoop(interval, work, (error) =>
      settings.diagnostics.error({ err: error }, `${name} failed; it is tried again.`),
    )
    loops.push(loop)
    return loop
  }
  if (store.traits.queued) {
    // Not at once after each commit, but at the interval: then many events share one transaction and one disk wait.
    let ticks = 0
    repeat('The sequencer', settings.sequencerMilliseconds, async () => {
      if (!queued && ++ticks % IDLE_TICKS !== 0) return false
      queued = false
      try {
        const result = await sequencer.sequence()
        queued ||= result === 'busy'
        return result === 'more'
      } catch (error) {
        queued = true
        throw error
      }
    })
  }
  let stopListening: (() => Promise<void>) | undefined
  repeat('Appending counted refusals', FLUSH_MILLISECONDS, async () => {
    for (const each of counted) await each.flushPast()
  })
  repeat('Giving attempts back to addresses', SETTLE_MILLISECONDS, () => throttle.settle())
  if (!settings.attach) {
    let missed = false
    const reading = repeat('Reading the revocations', settings.revocationPollMilliseconds, async () => {
      try {
        await revocations.poll()
      } catch (error) {
        missed = true
        throw error
      }
      // The database was away, and may be another one than it was.
      if (missed) await renewFeedEpoch(store)
      missed = false
    })
    stopListening = database.signals?.listen?.(REVOCATIONS_CHANNEL, () => reading.poke())
    repeat('Looking after the signing keys', KEY_RELOAD_SECONDS * 1000, () => advanceKeys(keyParts))
    repeat('Housekeeping', HOUSEKEEPING_MILLISECONDS, async () => {
      const more = [
        await expireSessions(store, parts.sessionEnder, clock),
        await revocations.forget(),
        await throttle.forget(),
        await forgetOneTimeTokens(store, clock),
      ]
      return more.includes(true)
    })
  }

  let closed: Promise<void> | undefined
  let handler: HttpHandler | undefined

  const guarding = createApiGuard()
  // Routing and validation are loaded with the first request: many a command, and many an application, has none.
  const loadHandler = async (): Promise<HttpHandler> => {
    handler ??= (await import('./http/handler.ts')).createHttpHandler({
      gate,
      authenticate,
      settings,
      isClosed: () => guarding.closing.aborted,
    })
    return handler
  }
  const exchange: HttpHandler = (request, connection) =>
    handler?.(request, connection) ?? loadHandler().then((handle) => handle(request, connection))
  guarding.closing.addEventListener('abort', () => revocations.close(), { once: true })
  const gate: Gatebook = guarding.guard({
    issuer: settings.issuer,
    fetch: async (request, connection) => toFetchResponse(await exchange(request, connection)),
    exchange,
    handles: (path) => claimsPath(settings, path),
    contextOf,
    authenticate,

    register: (input, context) => register(parts, input, context),
    login: (input, context) => login(parts, input, context),
    refresh: (refreshToken, context) => refresh(parts, refreshToken, context),
    logout: (input, context) => logout(parts, input, context),
    changePassword: (input, context) => changePassword(parts, input, context),

    registrations: {
      request: (input, context) => requestRegistration(parts, input, context),
      confirm: (input, context) => confirmRegistration(parts, input, context),
    },

    passwordResets: {
      request: (input, context) => requestPasswordReset(parts, input, context),
      issue: async (userId, context) => issuePasswordReset(parts, parseUserId(userId), context),
      complete: (input, context) => completePasswordReset(parts, input, context),
    },

    invitations: {
      create: (input, context) => createInvitation(parts, input, context),
      list: (page) => listInvitations(parts, page),
      revoke: (invitationId, context) => revokeInvitation(parts, invitationId, context),
    },

    attempts: {
      begin: async (input, context) => guarding.guard(await beginAttempt(parts, input, context), 'attempt.'),
    },

    users: {
      create: (input, context) => createUser(parts, input, context),
      import: (rows, options, context) => importUsers(parts, rows, options, context),
      find: async (userId) => users.find(parseUserId(userId)),
      findByIdentifier: (identifier) => users.findByIdentifier(identifier),
      list: (page) => users.list(page),
      disable: async (userId, context) => disableUser(parts, parseUserId(userId), context),
      enable: async (userId, context) => enableUser(parts, parseUserId(userId), context),
      setPassword: async (userId, password, context) => setPassword(parts, parseUserId(userId), password, context),
      grantRole: async (userId, role, context) => grantRole(parts, parseUserId(userId), role, context),
      revokeRole: async (userId, role, context) => revokeRole(parts, parseUserId(userId), role, context),
      unlock: (name, context) => unlock(parts, name, context),
      anyoneHasRole: (role) => users.anyoneHasRole(role),
      lookalikes: async (userId) => users.lookalikes(parseUserId(userId)),
    },

    sessions: {
      start: async (userId, grant, context) =>
        startApplicationSession(parts, parseApplicationUserId(userId), grant, context),
      find: (sessionId) => sessions.find(sessionId),
      list: async (userId) => sessions.list(parseUserId(userId)),
      listEnded: async (userId, page) => sessions.listEnded(parseUserId(userId), page),
      end: (sessionId, reason, context) => endSession(parts, sessionId, reason, context),
      endAll: async (userId, reason, context) => endAllSessions(parts, parseUserId(userId), reason, context),
    },

    tokens: {
      verify: (accessToken) => parts.accessTokens.verify(accessToken),
      introspect: (token) => introspect(parts, token),
      revoke: (token, context) => revokeToken(parts, token, context),
      jwks: () => keys.jwks(),
    },

    revocations: {
      read: (options) => readRevocations(feed, options),
      release: () => revocations.close(),
      status: () => ({
        entries: revocations.sessions.size,
        staleSeconds: revocations.staleMilliseconds() / 1000,
      }),
    },

    clients: {
      create: (input, context) => createClient(parts, input, context),
      list: (page) => listClients(parts, page),
      revoke: (clientId, context) => revokeClient(parts, clientId, context),
      authenticate: (credentials, context) => authenticateClient(parts, credentials, context),
    },

    keys: {
      list: () => listKeys(keyParts),
      rotate: (context) => rotateKey(keyParts, context),
      revoke: (keyId, context) => revokeKey(keyParts, keyId, context),
    },

    log: {
      append: (event, appendOptions) => appendApplicationEvent(parts, event, appendOptions),
      find: (eventId) => reader.find(eventId),
      search: (filter, page) => reader.search(filter, page),
      read: (filter, page, context) => readLog(parts, reader, filter, page, context),
      activity: async (userId, page) => reader.search({ user: parseUserId(userId) }, page),
      async flush() {
        for (const each of counted) await each.flush()
      },
      tail: (tailOptions) => tailEvents(reader, guarding.closing, tailOptions),
    },

    async ready() {
      if (closed !== undefined) return { ready: false, reason: 'closing' }
      try {
        await store.read((db) =>
          db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).executeTakeFirstOrThrow(),
        )
        return { ready: true }
      } catch {
        return { ready: false, reason: 'the database does not answer' }
      }
    },

    close() {
      closed ??= (async () => {
        await guarding.close()
        await stopListening?.()
        await Promise.all(loops.map((loop) => loop.stop()))
        await announcer.stop()
        await guarding.inside(() => parts.mails.close())
        guarding.end()
        for (const each of counted) await each.flush().catch(() => undefined)
        await throttle.settle().catch(() => undefined)
        // What this process has committed gets its place before it goes, where that is quick.
        if (store.traits.queued) await sequencer.sequence().catch(() => 'done')
        await store.close()
      })()
      return closed
    },
  })
  return gate
}

async function prepareTables(settings: Settings, database: OpenDatabase): Promise<void> {
  if (settings.autoMigrate) {
    const applied = await migrateOpen(database)
    if (applied.length > 0) settings.diagnostics.info({ applied }, 'The tables were brought up to date.')
    return
  }
  const pending = await listPending(database)
  if (pending.length > 0) {
    throw new GatebookError('ERR_MIGRATION', {
      detail: `Run gatebook migrate first: ${pending.map(({ name }) => name).join(', ')} not applied, and autoMigrate is off.`,
    })
  }
}
