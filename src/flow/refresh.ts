/**
 * Exchange a refresh token for the next one and a new access token.
 *
 * Events: `session.refreshed` (reason grace when the same successor is handed out once more), or `session.refresh-refused`
 * (invalid, expired, ended, superseded, reused, wrong-client). `reused` and `expired` end the session: `session.ended`. Whoever presents an
 * authentic token of a session that is over is told why it is: `end_reason`.
 */
import type { RequestContext, SessionTokens } from '../api.ts'
import { type ErrorCode, GatebookError } from '../errors.ts'
import type { RefreshRefusalReason, SessionEndReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { rotationState } from '../log/row-state.ts'
import { formatRotations, judgeRefresh, parseRotations, rememberRotation } from '../session/refresh-rule.ts'
import { grantOf } from '../session/session-grant.ts'
import { authenticatedAt, lockSession, readSession, type SessionRow } from '../session/session-row.ts'
import type { SessionTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { RefreshTokenContent } from '../token/refresh.ts'
import { readGeneration, readProfile } from '../user/profile.ts'
import { type DeviceId, isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { collectClaims, mergeRoles } from './start-session.ts'

const CODES: Readonly<Record<RefreshRefusalReason, ErrorCode>> = {
  invalid: 'ERR_REFRESH_INVALID',
  expired: 'ERR_REFRESH_EXPIRED',
  ended: 'ERR_REFRESH_ENDED',
  superseded: 'ERR_REFRESH_SUPERSEDED',
  reused: 'ERR_REFRESH_REUSED',
  'wrong-client': 'ERR_REFRESH_INVALID',
}

/** What an access token says beside the session itself. */
interface Rights {
  readonly generation: number
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
}

export async function refresh(
  parts: FlowParts,
  refreshToken: string,
  context: RequestContext = {},
  /** The application that shows it, which was found to be that; null for who logged in at Gatebook itself (RFC 6749 §6). */
  clientId: string | null = null,
): Promise<SessionTokens> {
  const { store } = parts
  const presented = parts.refreshTokens.open(refreshToken)
  const before = presented === null ? null : await readSession(parts.store, presented.sessionId)
  if (presented === null || before === null) {
    await parts.refusals.append(refusedEvent(context, 'invalid'))
    throw new GatebookError(CODES.invalid)
  }
  let result: SessionTokens | Refusal | 'changed'
  do {
    const rights = await collectRights(parts, before)
    result = await store.transaction(async (tx) => {
      const session = await lockSession(tx, presented.sessionId)
      if (session === null) return refusal(context, 'invalid')
      if (session.client_id !== clientId) return refusal(context, 'wrong-client', session, presented.counter)
      // A change of roles locks the sessions too: what was read before the lock may be of before the change.
      if ((await readGeneration(tx, session.subject_id)) !== rights.generation) return 'changed'
      return judge(parts, tx, session, presented, rights, context)
    })
  } while (result === 'changed')
  if (!('refused' in result)) return result
  // What ended the session has left its event with it; what changed nothing may come as often as somebody likes.
  if (result.event !== null) await parts.refusals.append(result.event)
  throw new GatebookError(CODES[result.refused], {
    members: result.endReason === undefined ? {} : { end_reason: result.endReason },
  })
}

/** Roles and the application's claims, found out before the row is locked. */
async function collectRights(parts: FlowParts, session: SessionRow): Promise<Rights> {
  const profile = await readProfile(parts.store, session.subject_id)
  const granted = grantOf(session)
  const roles = mergeRoles(profile.roles, granted.roles)
  const claims =
    session.ended_at === null
      ? await collectClaims(parts, { userId: session.subject_id, roles }, granted.claims)
      : granted.claims
  return { generation: profile.generation, roles, claims }
}

async function judge(
  parts: FlowParts,
  tx: Transaction,
  session: SessionRow,
  presented: RefreshTokenContent,
  rights: Rights,
  context: RequestContext,
): Promise<SessionTokens | Refusal> {
  const { settings, log, sessionEnder } = parts
  const now = settings.clock.now()
  if (session.ended_at !== null) {
    const endReason = session.end_reason as SessionEndReason
    const refused = endReason === 'expired' ? 'expired' : 'ended'
    return { ...refusal(context, refused, session, presented.counter), endReason }
  }
  const source = eventSource(context, { kind: 'user', id: session.subject_id }, session.device_id ?? undefined)
  /** Refused, and the session is over: both in this transaction, so that neither is without the other. */
  const refuseAndEnd = async (reason: 'expired' | 'reused', endReason: SessionEndReason): Promise<Refusal> => {
    // A session whose time was over had ended before it was refused; one that is ended for a token is refused first.
    if (reason === 'expired') await sessionEnder.end(tx, [session], endReason, source)
    await log.append(tx, [refusedEvent(context, reason, session, presented.counter)])
    if (reason === 'reused') await sessionEnder.endWithHandedOver(tx, session, endReason, source)
    return { refused: reason, endReason, event: null }
  }
  if (Number(session.expires_at) <= now) return refuseAndEnd('expired', 'expired')
  const rotations = parseRotations(session.rotations)
  const grace = settings.refreshGraceSeconds * 1000
  const verdict = judgeRefresh(presented.counter, session.refresh_counter, rotations, now, grace)
  if (verdict === 'superseded') return refusal(context, 'superseded', session, presented.counter)
  if (verdict === 'reused') return refuseAndEnd('reused', 'refresh-reused')
  const counter = verdict === 'rotate' ? session.refresh_counter + 1 : session.refresh_counter
  const access = parts.accessTokens.issue(
    {
      userId: session.subject_id,
      sessionId: session.id,
      ...rights,
      authenticatedAt: authenticatedAt(session),
      clientId: session.client_id,
    },
    context.accessTokenMaxBytes,
  )
  const rotated: Partial<Rotated> = verdict === 'rotate' ? rotate(parts, session, presented.counter, now) : {}
  await tx.db
    .updateTable('gatebook_session')
    .set({
      ...rotated,
      // An earlier token may outlive this one, and a revocation is kept for as long as the last of them lives.
      access_expires_at: Math.max(Number(session.access_expires_at), access.expiresAt),
    })
    .where('id', '=', session.id)
    .execute()
  await log.append(tx, [
    {
      ...source,
      type: 'session.refreshed',
      outcome: 'success',
      ...(verdict === 'grace' && { reason: 'grace' }),
      subject: session.subject_id,
      sessionId: session.id,
      tokenId: access.tokenId,
      method: 'refresh-token',
      data: { counter },
      state: { rotation: rotationState({ ...session, ...rotated }) },
    },
  ])
  return {
    accessToken: access.token,
    tokenType: 'Bearer',
    expiresIn: access.expiresIn,
    refreshToken: parts.refreshTokens.issue({ sessionId: presented.sessionId, counter }),
    refreshExpiresIn: Math.floor(((rotated.expires_at ?? Number(session.expires_at)) - now) / 1000),
    sessionId: session.id,
    userId: session.subject_id,
    deviceToken: deviceToken(parts, session),
  }
}

type Rotated = Pick<SessionTable, 'refresh_counter' | 'rotations' | 'last_used_at' | 'expires_at'>

/** The columns of a session that has made one more step. */
function rotate({ settings }: FlowParts, session: SessionRow, spent: number, now: number): Rotated {
  const rotations = rememberRotation(
    parseRotations(session.rotations),
    { counter: spent, at: now },
    settings.refreshGraceSeconds * 1000,
  )
  return {
    refresh_counter: spent + 1,
    rotations: formatRotations(rotations),
    last_used_at: now,
    expires_at: Math.min(Number(session.absolute_expires_at), now + settings.refreshIdleSeconds * 1000),
  }
}

function deviceToken(parts: FlowParts, session: SessionRow): string {
  const deviceId = session.parent_id === null ? session.device_id : null
  return deviceId !== null && isId('device', deviceId)
    ? parts.deviceTokens.issue(deviceId satisfies DeviceId, session.subject_id)
    : ''
}

interface Refusal {
  readonly refused: RefreshRefusalReason
  /** Of a session that is over. */
  readonly endReason?: SessionEndReason
  /** To be left once the transaction, which has changed nothing, is over; null when it has been left in it. */
  readonly event: NewEvent | null
}

function refusal(
  context: RequestContext,
  refused: RefreshRefusalReason,
  session?: SessionRow,
  counter?: number,
): Refusal {
  return { refused, event: refusedEvent(context, refused, session, counter) }
}

function refusedEvent(
  context: RequestContext,
  reason: RefreshRefusalReason,
  session?: SessionRow,
  counter?: number,
): NewEvent {
  return {
    ...eventSource(context, { kind: 'anonymous' }, session?.device_id ?? undefined),
    type: 'session.refresh-refused',
    outcome: 'denied',
    reason,
    method: 'refresh-token',
    ...(session !== undefined && { subject: session.subject_id, sessionId: session.id }),
    ...(counter !== undefined && { data: { counter } }),
  }
}
