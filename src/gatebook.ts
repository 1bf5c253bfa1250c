/** The only file that wires the parts together. */
import type { Gatebook } from './api.ts'
import { defaultHashConcurrency } from './credential/hash-queue.ts'
import { createPasswords } from './credential/passwords.ts'
import { appendApplicationEvent } from './flow/append-event.ts'
import { beginAttempt } from './flow/attempt.ts'
import { auditLog } from './flow/audit-log.ts'
import { createAuthorizations } from './flow/authorization-code.ts'
import { changePassword, setPassword } from './flow/change-password.ts'
import { grantRole, revokeRole } from './flow/change-role.ts'
import {
  authenticateClient,
  createClient,
  createPublicClient,
  findClient,
  listClients,
  revokeClient,
} from './flow/client.ts'
import { confirmRegistration, requestRegistration } from './flow/confirm-registration.ts'
import { continueErasures } from './flow/continue-erasures.ts'
import { createUser } from './flow/create-user.ts'
import { disableUser, enableUser } from './flow/disable-user.ts'
import { disown } from './flow/disown.ts'
import { endAllSessions, endSession } from './flow/end-session.ts'
import { erase, previewErasure } from './flow/erase.ts'
import { eventSource } from './flow/event-source.ts'
import { exportLeaves, proveForOthers } from './flow/export-log.ts'
import { addHold, listHolds, releaseHold } from './flow/hold.ts'
import { importUsers } from './flow/import-users.ts'
import { introspect } from './flow/introspect.ts'
import { createInvitation, listInvitations, revokeInvitation } from './flow/invite.ts'
import { login } from './flow/login.ts'
import { logout } from './flow/logout.ts'
import type { FlowParts } from './flow/parts.ts'
import { quarantineLog } from './flow/quarantine-log.ts'
import { readAddress } from './flow/read-address.ts'
import { readLog } from './flow/read-log.ts'
import { readRevocations } from './flow/read-revocations.ts'
import { adoptGuard, recoverLog } from './flow/recover-log.ts'
import { refresh } from './flow/refresh.ts'
import { register } from './flow/register.ts'
import { completePasswordReset, issuePasswordReset, requestPasswordReset } from './flow/reset-password.ts'
import { revokeToken } from './flow/revoke-token.ts'
import { advanceKeys, listKeys, openKeys, revokeKey, rotateKey } from './flow/rotate-key.ts'
import { createAudits } from './flow/run-audits.ts'
import { startApplicationSession } from './flow/start-application-session.ts'
import { tellConfiguration } from './flow/tell-configuration.ts'
import { unlock } from './flow/unlock.ts'
import { createApiGuard } from './guard-api.ts'
import { createAuthenticator } from './http/authenticate.ts'
import { type ContextReader, createContextReader } from './http/context.ts'
import { createCookies } from './http/cookie.ts'
import { createCors } from './http/cors.ts'
import { toFetchResponse } from './http/exchange.ts'
import type { HttpHandler } from './http/handler.ts'
import { claimsPath } from './http/paths.ts'
import { createAnchoring } from './log/anchoring.ts'
import { createAnchors } from './log/anchors/create-anchors.ts'
import { createEventLog } from './log/append.ts'
import { createHoldReader } from './log/hold-reader.ts'
import { readIntegrity } from './log/integrity.ts'
import { createLogFiles } from './log/log-files.ts'
import { openLogKeeper } from './log/log-keeper.ts'
import { createOverviewReader } from './log/overview.ts'
import { continuePruning, pruneLog } from './log/prune.ts'
import { createEventReader } from './log/reader.ts'
import { createRefusalLog } from './log/refusal-log.ts'
import { expireLog } from './log/retention.ts'
import { notePolicy } from './log/retention-policy.ts'
import { createSigningTurns } from './log/signing-turns.ts'
import { tailEvents } from './log/tail.ts'
import { createTokenRefusals } from './log/token-refusals.ts'
import { createLogWatch } from './log/watch.ts'
import { createMailLine } from './mail/mail-line.ts'
import { type GatebookOptions, resolveOptions, type Settings } from './options.ts'
import { loadMasterSecret } from './secret/load-secret.ts'
import { createRowSeal } from './secret/row-seal.ts'
import { createSessionEnder } from './session/end-sessions.ts'
import { expireSessions, SYSTEM_SOURCE } from './session/expire-sessions.ts'
import { createSessionReader } from './session/session-reader.ts'
import { createAnnouncer } from './store/announcer.ts'
import type { OpenDatabase } from './store/dialect.ts'
import { openFileLock } from './store/dialects/file-lock.ts'
import { prepareTables } from './store/migrations/prepare-tables.ts'
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
const CHECK_MILLISECONDS = 2000
const RETENTION_MILLISECONDS = 600_000
const SETTLE_MILLISECONDS = 100
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
    return await openGatebook(options, settings, database, contextOf)
  } catch (error) {
    await database.close()
    throw error
  }
}

async function openGatebook(
  options: GatebookOptions,
  settings: Settings,
  database: OpenDatabase,
  contextOf: ContextReader,
): Promise<Gatebook> {
  await prepareTables(settings, database)
  const store = createSqlStore(database, await ensureDatabaseId(database))
  const secret = await loadMasterSecret(store, settings)
  if (!settings.attach) await ensureViews(store, settings)

  const { clock } = settings
  const loops: Loop[] = []
  const keeper = await openLogKeeper({
    store,
    settings,
    secret,
    ephemeral: options.database.ephemeral === true,
    openLock: openFileLock,
    onPublished: (checkpoint) => anchoring?.publish(checkpoint),
  })
  const anchoring =
    keeper.key === null || settings.attach
      ? null
      : createAnchoring({
          store,
          anchors: createAnchors(settings),
          clock,
          diagnostics: settings.diagnostics,
          policy: keeper.key.policy,
        })
  const signing = createSigningTurns(keeper)
  const log = createEventLog({
    clock,
    secret,
    onAppended(events) {
      signing.noteAppended()
      keeper.noteAppended(events)
    },
  })
  const recovering = { store, log, keeper, isGenuine: keeper.isGenuine }
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
  const seal = createRowSeal(secret)
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
    seal,
    holds: createHoldReader({ seal, isGenuine: keeper.isGenuine, queued: store.traits.queued }),
    isGenuine: keeper.isGenuine,
  }
  const logFiles = createLogFiles(store, keeper.keys)
  const pruning = { ...parts, keys: keeper.keys }
  const reader = createEventReader(store, parts.identifiers)
  const users = createUserReader(store)
  const authenticator = createAuthenticator({
    tokens: parts.accessTokens,
    refusals: tokenRefusals,
    clock,
    cookies: createCookies(settings),
  })
  const sessions = createSessionReader(store, clock)
  const overview = createOverviewReader({ store, clock, countSessions: sessions.countLive })

  const guarding = createApiGuard()
  const { closing } = guarding
  const watching = createLogWatch({
    reader,
    identifiers: parts.identifiers,
    closing,
    diagnostics: settings.diagnostics,
  })
  const repeat = (name: string, interval: number, work: () => Promise<unknown>): Loop => {
    const loop = startLoop(interval, work, (error) =>
      settings.diagnostics.error({ err: error }, `${name} failed; it is tried again.`),
    )
    loops.push(loop)
    return loop
  }
  repeat('Signing the log', settings.sequencerMilliseconds, signing.tick)
  repeat('Looking for events in the signed log', CHECK_MILLISECONDS, () => keeper.check())
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
    await notePolicy(parts)
    repeat('Forgetting what is older than it is kept', RETENTION_MILLISECONDS, () =>
      expireLog(parts, { source: SYSTEM_SOURCE, signal: closing }),
    )
    repeat('Housekeeping', HOUSEKEEPING_MILLISECONDS, async () => {
      const more = [
        await expireSessions(store, parts.sessionEnder, clock),
        await revocations.forget(),
        await throttle.forget(),
        await forgetOneTimeTokens(store, clock),
        await continueErasures(parts, closing),
        await continuePruning(pruning),
      ]
      return more.includes(true)
    })
  }

  const logStatus = () => ({ ...keeper.status(), anchors: anchoring?.status() ?? [] })
  const auditing = { ...parts, keeper, isGenuine: keeper.isGenuine, closing }
  const audit: Gatebook['log']['audit'] = (options, context) => auditLog(auditing, options, context)
  const audits = createAudits({ clock, diagnostics: settings.diagnostics, audit })

  let closed: Promise<void> | undefined
  let handler: HttpHandler | undefined

  // Routing and validation are loaded with the first request: many a command, and many an application, has none.
  const loadHandler = async (): Promise<HttpHandler> => {
    const { createHttpHandler } = await import('./http/handler.ts')
    // One for all requests that have waited for it.
    handler ??= createHttpHandler({
      gate,
      authenticator,
      settings,
      track: guarding.track,
      isClosed: () => closing.aborted,
    })
    return handler
  }
  const exchange: HttpHandler = (request, connection) =>
    handler?.(request, connection) ?? guarding.track(async () => (await loadHandler())(request, connection))
  closing.addEventListener('abort', () => revocations.close(), { once: true })
  const gate: Gatebook = guarding.guard({
    issuer: settings.issuer,
    fetch: async (request, connection) => toFetchResponse(await exchange(request, connection)),
    exchange,
    handles: (path) => claimsPath(settings, path),
    contextOf,
    authenticate: authenticator.authenticate,

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
      search: (beginning, page) => users.search(beginning, page),
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
      search: async ({ userId, ...filter }, page) =>
        sessions.search({ ...filter, ...(userId !== undefined && { userId: parseUserId(userId) }) }, page),
      listEnded: async (userId, page) => sessions.listEnded(parseUserId(userId), page),
      end: (sessionId, reason, context) => endSession(parts, sessionId, reason, context),
      endAll: async (userId, reason, context) => endAllSessions(parts, parseUserId(userId), reason, context),
      disown: async ({ userId, eventId }, context) =>
        disown(parts, reader, { userId: parseUserId(userId), eventId }, context),
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
      createPublic: (input, context) => createPublicClient(parts, input, context),
      find: (clientId) => findClient(parts, clientId),
      list: (page) => listClients(parts, page),
      revoke: (clientId, context) => revokeClient(parts, clientId, context),
      authenticate: (credentials, context) => authenticateClient(parts, credentials, context),
    },

    authorizations: createAuthorizations(parts),

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
      overview: (overviewOptions) => overview.read(overviewOptions),
      address: (address, window, context) => readAddress(parts, address, window, context),
      async flush() {
        for (const each of counted) await each.flush()
      },
      status: logStatus,
      integrity: () =>
        readIntegrity({ store, settings, files: logFiles, keys: keeper.keys, reader, status: logStatus }),
      adopt: (context = {}) => adoptGuard(recovering, context),
      recover: (options = {}, context = {}) =>
        options.quarantine === undefined
          ? recoverLog(recovering, options, context)
          : quarantineLog(recovering, options.quarantine, options, context),
      prove: (eventId, context) => proveForOthers(parts, keeper.keys, eventId, context),
      checkpoint: () => logFiles.head(),
      file: (path) => logFiles.read(path),
      leaves: (range, context) => exportLeaves(parts, logFiles, range, context),
      checkpoints: (after = { epoch: 0, size: 0 }) => logFiles.checkpoints(after),
      tail: (tailOptions) => tailEvents(reader, closing, tailOptions),
      watch: (watchOptions) => watching.watch(watchOptions),
      release: () => watching.release(),
      expire: (options, context = {}) =>
        expireLog(parts, {
          ...options,
          source: eventSource(context, { kind: 'application' }),
          signal: closing,
        }),
      prune: (options, context = {}) =>
        pruneLog(pruning, {
          ...options,
          source: eventSource(context, { kind: 'application' }),
          signal: closing,
        }),
      previewErasure: (target) => previewErasure(parts, target),
      erase: (target, options, context) => erase(parts, target, options, context),
      holds: {
        add: (input, context) => addHold(parts, input, context),
        list: () => listHolds(parts),
        release: (holdId, context) => releaseHold(parts, holdId, context),
      },
      audit,
    },

    audits: {
      start: (auditOptions = {}, context = {}) => audits.start(auditOptions, context),
      current: () => audits.current(),
      cancel: () => audits.cancel(),
    },

    configuration: () => tellConfiguration(settings, options),

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
        await watching.stop()
        await audits.cancel()
        await Promise.all(loops.map((loop) => loop.stop()))
        await announcer.stop()
        await guarding.inside(() => parts.mails.close())
        guarding.end()
        for (const each of counted) await each.flush().catch(() => undefined)
        await throttle.settle().catch(() => undefined)
        await keeper.finish()
        await anchoring?.stop()
        await keeper.close()
        await store.close()
      })()
      return closed
    },
  })
  return gate
}
