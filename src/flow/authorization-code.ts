/**
 * Hand a user who is logged in over to an application: a code through the browser, and tokens for the code from program to program
 * (RFC 6749 §4.1, RFC 7636, RFC 9700 §2.1). The application's session is one of its own, and ends with the one that it came of.
 *
 * check    nothing, or `authorization.refused` (unknown-client, revoked-client, redirect-not-allowed).
 * issue    `authorization.granted`, or what `check` leaves.
 * redeem   `login.succeeded` with the client, and `session.ended` (replaced) for the one that was there before; or `authorization.refused`
 *          (unknown-code, expired-code, used-code, wrong-client, wrong-redirect, wrong-verifier, session-ended), with
 *          `session.ended` (code-reused) where the code had started a session that was live; or `client.refused`.
 * refresh, revoke  what `refresh` and `tokens.revoke` leave, or `client.refused`.
 */
import type {
  AuthorizationCode,
  AuthorizationRequest,
  Client,
  CodeRedemption,
  Gatebook,
  RequestContext,
  SessionTokens,
} from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { AuthorizationRefusalReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { grantOf } from '../session/session-grant.ts'
import { authenticatedAt, isLiveSession, lockSession, readSession } from '../session/session-row.ts'
import type { Transaction } from '../store/transaction.ts'
import { isCodeChallenge, matchesChallenge } from '../token/code-challenge.ts'
import { generateOneTimeToken } from '../token/one-time.ts'
import {
  findOneTimeToken,
  insertOneTimeToken,
  lockOneTimeToken,
  type OneTimeRow,
  spendOneTimeToken,
} from '../token/one-time-row.ts'
import { isAllowedRedirect } from '../token/redirect-uri.ts'
import { readProfile } from '../user/profile.ts'
import { lockSubject } from '../user/subject.ts'
import { isId } from '../util/id.ts'
import { authenticateClient, findClient } from './client.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { refresh } from './refresh.ts'
import { revokeToken } from './revoke-token.ts'
import { collectClaims, mergeRoles, startSession } from './start-session.ts'

/** RFC 6749 §4.1.2 allows ten minutes; an application redeems at once. */
const CODE_MILLISECONDS = 60_000

export function createAuthorizations(parts: FlowParts): Gatebook['authorizations'] {
  return {
    check: (request, context) => checkAuthorization(parts, request, context),
    issue: (request, context) => issueCode(parts, request, context),
    redeem: (redemption, context) => redeemCode(parts, redemption, context),
    refresh: (input, context) => refreshForClient(parts, input, context),
    revoke: (input, context) => revokeForClient(parts, input, context),
  }
}

/** What a code was given out for. The row that it stands in is sealed. */
interface CodeBinding {
  readonly session: string
  readonly client: string
  readonly redirectUri: string
  readonly challenge: string
  /** Of `authorization.granted`: it has the address of the browser, which the application's own request has not. */
  readonly event: string
}

async function checkAuthorization(
  parts: FlowParts,
  { clientId, redirectUri }: Pick<AuthorizationRequest, 'clientId' | 'redirectUri'>,
  context: RequestContext = {},
): Promise<Client> {
  const client = await findClient(parts, clientId)
  const isKnown = client !== null && client.revokedAt === null
  if (isKnown && isAllowedRedirect(redirectUri, client.redirectUris)) return client
  const reason = isKnown ? 'redirect-not-allowed' : client === null ? 'unknown-client' : 'revoked-client'
  await parts.refusals.append(refusedEvent(context, reason, client?.id))
  throw new GatebookError(isKnown ? 'ERR_REDIRECT_URI_NOT_ALLOWED' : 'ERR_CLIENT_NOT_FOUND')
}

async function issueCode(
  parts: FlowParts,
  request: AuthorizationRequest,
  context: RequestContext = {},
): Promise<AuthorizationCode> {
  const { store, settings, log, seal } = parts
  const { sessionId, redirectUri, codeChallenge } = request
  const client = await checkAuthorization(parts, request, context)
  if (!isCodeChallenge(codeChallenge)) throw new GatebookError('ERR_CODE_CHALLENGE_INVALID')
  const { token, digest } = generateOneTimeToken('code')
  return store.transaction(async (tx) => {
    const now = settings.clock.now()
    const session = await lockSession(tx, sessionId)
    if (!isLiveSession(session, now) || session.client_id !== null) throw new GatebookError('ERR_SESSION_NOT_FOUND')
    const userId = session.subject_id
    const [event] = await log.append(tx, [
      {
        ...eventSource(context, { kind: 'user', id: userId }, session.device_id ?? undefined),
        type: 'authorization.granted',
        outcome: 'success',
        subject: userId,
        sessionId,
        data: { client: client.id },
      },
    ])
    const binding: CodeBinding = {
      session: sessionId,
      client: client.id,
      redirectUri,
      challenge: codeChallenge,
      event: event!,
    }
    const expiresAt = now + CODE_MILLISECONDS
    await insertOneTimeToken(tx, seal, {
      purpose: 'code',
      secret_digest: digest,
      subject_id: userId,
      binding: JSON.stringify(binding),
      created_at: now,
      expires_at: expiresAt,
    })
    return { code: token, expiresAt }
  })
}

async function redeemCode(
  parts: FlowParts,
  redemption: CodeRedemption,
  context: RequestContext = {},
): Promise<SessionTokens> {
  const client = await identifyClient(parts, redemption, context)
  const row = await findOneTimeToken(parts, 'code', redemption.code)
  const binding = row?.binding == null ? null : (JSON.parse(row.binding) as CodeBinding)
  const mismatch = binding === null ? 'unknown-code' : mismatchOf(binding, client, redemption)
  if (row?.subjectId == null || binding === null || mismatch !== null) {
    await parts.refusals.append(refusedEvent(context, mismatch ?? 'unknown-code', client.id, row))
    throw new GatebookError('ERR_CODE_INVALID')
  }
  const browser = await readBrowser(parts, binding.event)
  const started = await startHandedOver(parts, { row, binding, userId: row.subjectId, browser, context })
  if (typeof started !== 'string') return started
  await parts.refusals.append(refusedEvent(context, started, client.id, started === 'unknown-code' ? null : row))
  throw new GatebookError('ERR_CODE_INVALID')
}

async function refreshForClient(
  parts: FlowParts,
  given: { readonly refreshToken: string; readonly clientId: string; readonly clientSecret?: string },
  context: RequestContext = {},
): Promise<SessionTokens> {
  const client = await identifyClient(parts, given, context)
  return refresh(parts, given.refreshToken, context, client.id)
}

async function revokeForClient(
  parts: FlowParts,
  given: { readonly token: string; readonly clientId: string; readonly clientSecret?: string },
  context: RequestContext = {},
): Promise<boolean> {
  const client = await identifyClient(parts, given, context)
  const by: RequestContext = { ...context, actor: { kind: 'application', id: client.id } }
  return revokeToken(parts, given.token, by, client.redirectUris.length > 0 ? client.id : undefined)
}

function identifyClient(
  parts: FlowParts,
  { clientId, clientSecret }: Pick<CodeRedemption, 'clientId' | 'clientSecret'>,
  context: RequestContext,
): Promise<Client> {
  return authenticateClient(parts, { id: clientId, secret: clientSecret ?? null }, context)
}

function mismatchOf(
  binding: CodeBinding,
  client: Client,
  { redirectUri, codeVerifier }: CodeRedemption,
): AuthorizationRefusalReason | null {
  if (binding.client !== client.id) return 'wrong-client'
  if (binding.redirectUri !== redirectUri) return 'wrong-redirect'
  return matchesChallenge(codeVerifier, binding.challenge) ? null : 'wrong-verifier'
}

interface HandOverInput {
  readonly row: OneTimeRow
  readonly binding: CodeBinding
  readonly userId: string
  readonly browser: Pick<RequestContext, 'ip' | 'ipSource' | 'userAgent'>
  readonly context: RequestContext
}

async function startHandedOver(
  parts: FlowParts,
  { row, binding, userId, browser, context }: HandOverInput,
): Promise<SessionTokens | AuthorizationRefusalReason> {
  const { store, settings, seal } = parts
  for (;;) {
    const profile = await readProfile(store, userId)
    const parent = await readSession(store, binding.session)
    if (parent === null) return 'session-ended'
    // What the log-in was given, its application has no more of.
    const grant = grantOf(parent)
    const roles = mergeRoles(profile.roles, grant.roles)
    const claims = await collectClaims(parts, { userId, roles }, grant.claims)
    const result = await store.transaction(async (tx) => {
      const now = settings.clock.now()
      const subject = await lockSubject(tx, userId, now)
      const code = await lockOneTimeToken(tx, seal, row.id)
      // Gone with a user who was erased meanwhile.
      if (code === null || subject.erasedAt !== null) return 'unknown-code'
      // One of two who have the code and the verifier is not the application, and nobody knows which (RFC 6749 §4.1.2).
      if (code.spentAt !== null) {
        await endStarted(parts, tx, code, context)
        return 'used-code'
      }
      if (code.expiresAt <= now) return 'expired-code'
      const session = await lockSession(tx, binding.session)
      if (!isLiveSession(session, now) || subject.disabledAt !== null) return 'session-ended'
      if (subject.generation !== profile.generation) return 'changed'
      const tokens = await startSession(parts, tx, subject, {
        grant,
        roles,
        claims,
        knownDeviceId: null,
        context: { ...fromNowhere(context), ...browser },
        loginEvent: { data: { client: binding.client, parent: binding.session } },
        handOver: {
          clientId: binding.client,
          parentId: binding.session,
          authenticatedAt: authenticatedAt(session),
          deviceId: session.device_id,
        },
      })
      await spendOneTimeToken(tx, row.id, tokens.sessionId, now)
      return tokens
    })
    if (result !== 'changed') return result
  }
}

async function endStarted(parts: FlowParts, tx: Transaction, code: OneTimeRow, context: RequestContext): Promise<void> {
  const started = await lockSession(tx, code.spentBy ?? '')
  if (started === null || started.ended_at !== null) return
  await parts.sessionEnder.end(tx, [started], 'code-reused', eventSource(context, { kind: 'anonymous' }))
}

/** The application's server stands for nobody's address, also where the browser has shown none. */
function fromNowhere({ ip: _ip, ipSource: _source, userAgent: _agent, ...rest }: RequestContext): RequestContext {
  return rest
}

/** From where the user came: what an application's server shows is its own address. */
async function readBrowser({ store }: FlowParts, eventId: string): Promise<HandOverInput['browser']> {
  if (!isId('event', eventId)) return {}
  const event = await store.read((db) =>
    db
      .selectFrom('gatebook_event')
      .select(['ip', 'ip_source', 'user_agent'])
      .where('id', '=', eventId)
      .executeTakeFirst(),
  )
  return {
    ...(event?.ip != null && { ip: event.ip, ipSource: event.ip_source as NonNullable<RequestContext['ipSource']> }),
    ...(event?.user_agent != null && { userAgent: event.user_agent }),
  }
}

function refusedEvent(
  context: RequestContext,
  reason: AuthorizationRefusalReason,
  clientId: string | undefined,
  row: OneTimeRow | null = null,
): NewEvent {
  return {
    ...eventSource(context, { kind: 'anonymous' }),
    type: 'authorization.refused',
    outcome: 'denied',
    reason,
    ...(row?.subjectId != null && { subject: row.subjectId }),
    ...(clientId !== undefined && { data: { client: clientId } }),
  }
}
