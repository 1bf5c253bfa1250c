import type {
  AccessClaims,
  Client,
  ErasureCounts,
  ErasurePreview,
  ErasureReport,
  Hold,
  Invitation,
  NewClient,
  NewInvitation,
  Page,
  RevocationPage,
  Session,
  SessionTokens,
  SigningKey,
  User,
} from '../api.ts'
import type { LogEvent } from '../event/event.ts'

/** The one mapping from the library's objects to the members of the HTTP API: snake_case, instants in epoch milliseconds. */

export interface WireTokens {
  access_token: string
  token_type: 'Bearer'
  expires_in: number
  refresh_token: string
  refresh_expires_in: number
  session_id: string
  user_id: string
  device_token: string
}

/** What is left of them where they are in cookies: nothing secret. */
export type WireSignedIn = Pick<WireTokens, 'expires_in' | 'refresh_expires_in' | 'session_id' | 'user_id'>

export interface WireClaims {
  user_id: string
  session_id: string
  roles: string[]
  claims: Record<string, unknown>
  expires_at: number
}

export interface WireSession {
  id: string
  user_id: string
  created_at: number
  last_used_at: number
  expires_at: number
  ended_at: number | null
  end_reason: string | null
  ip: string | null
  user_agent: string | null
  device_id: string | null
  method: string
  client_id: string | null
  parent_id: string | null
}

/** A session as it went, for admins. */
export interface WireSessionRecord {
  id: string
  user_id: string
  method: string
  started_at: number
  last_refreshed_at: number | null
  refresh_count: number
  expires_at: number
  ended_at: number | null
  end_reason: string | null
  ip: string | null
  user_agent: string | null
  device: string | null
  client_id: string | null
  parent_id: string | null
}

/** With the event that ended it, where it has ended. */
export interface WireSessionDetail extends WireSession {
  end_event: WireEvent | null
}

export interface WireSigningKey {
  id: string
  algorithm: string
  state: 'pending' | 'active' | 'retiring' | 'retired' | 'revoked'
  created_at: number
  activates_at: number
  activated_at: number | null
  retires_at: number | null
  ended_at: number | null
}

export interface WireClient {
  id: string
  name: string
  public: boolean
  redirect_uris: string[]
  created_by: string
  created_at: number
  revoked_at: number | null
}

export interface WireNewClient extends WireClient {
  /** Null for a public client, which has none. */
  secret: string | null
}

export interface WireRevocationPage {
  entries: { sid: string; kind: 'ended' | 'stale'; gen: number; reason: string | null; forget_at: number }[]
  next: string
  more: boolean
  as_of: number
}

export interface WireUser {
  id: string
  identifier: string | null
  created_at: number
  confirmed_at: number | null
  disabled_at: number | null
  roles: string[]
}

export interface WireInvitation {
  id: string
  identifier: string | null
  roles: string[]
  created_by: string
  created_at: number
  expires_at: number
  state: 'open' | 'used' | 'revoked' | 'expired'
  used_by: string | null
}

export interface WireNewInvitation extends WireInvitation {
  token: string
}

/** What users see of their own history: no numbers of the log, no digests, and nobody else's id. */
export interface WireActivity {
  id: string
  type: string
  outcome: string
  reason: string | null
  at: number
  time: string
  by: string
  session_id: string | null
  method: string | null
  ip: string | null
  ip_source: string | null
  user_agent: string | null
  device_id: string | null
  data: Record<string, unknown>
}

export interface WireEvent {
  number: number
  id: string
  type: string
  outcome: string
  reason: string | null
  at: number
  time: string
  actor: { kind: string; id: string | null }
  subject: string | null
  identifier: string | null
  identifier_mask: string | null
  identifier_hmac: string | null
  session_id: string | null
  token_id: string | null
  method: string | null
  ip: string | null
  ip_source: string | null
  user_agent: string | null
  device_id: string | null
  request_id: string | null
  trace_id: string | null
  data: Record<string, unknown>
}

export interface WireErasureReport extends ErasureCounts {
  user_id: string | null
}

export interface WireErasurePreview extends WireErasureReport {
  acts_on_others: number
  holds: string[]
}

export interface WireHold {
  id: string
  user_id: string | null
  identifier: string | null
  from: number | null
  to: number | null
  reason: string
  reference: string | null
  created_by: string
  created_at: number
}

export interface WirePage<T> {
  items: T[]
  next: string | null
}

export function toWirePage<T, W>(page: Page<T>, toWire: (item: T) => W): WirePage<W> {
  return { items: page.items.map(toWire), next: page.next }
}

/** RFC 6749 §5.1. What only the browser of the user shows is not an application's to keep. */
export function toWireGrantedTokens(tokens: SessionTokens): Omit<WireTokens, 'device_token'> {
  const { device_token: _, ...rest } = toWireTokens(tokens)
  return rest
}

export function toWireTokens(tokens: SessionTokens): WireTokens {
  return {
    access_token: tokens.accessToken,
    token_type: tokens.tokenType,
    expires_in: tokens.expiresIn,
    refresh_token: tokens.refreshToken,
    refresh_expires_in: tokens.refreshExpiresIn,
    session_id: tokens.sessionId,
    user_id: tokens.userId,
    device_token: tokens.deviceToken,
  }
}

export function toWireSignedIn(tokens: SessionTokens): WireSignedIn {
  const { expires_in, refresh_expires_in, session_id, user_id } = toWireTokens(tokens)
  return { expires_in, refresh_expires_in, session_id, user_id }
}

export function toWireClaims(claims: AccessClaims): WireClaims {
  return {
    user_id: claims.userId,
    session_id: claims.sessionId,
    roles: [...claims.roles],
    claims: claims.claims,
    expires_at: claims.expiresAt,
  }
}

export function toWireSession(session: Session): WireSession {
  return {
    id: session.id,
    user_id: session.userId,
    created_at: session.createdAt,
    last_used_at: session.lastUsedAt,
    expires_at: session.expiresAt,
    ended_at: session.endedAt,
    end_reason: session.endReason,
    ip: session.ip,
    user_agent: session.userAgent,
    device_id: session.deviceId,
    method: session.method,
    client_id: session.clientId,
    parent_id: session.parentId,
  }
}

export function toWireSessionDetail(session: Session, endEvent: LogEvent | null): WireSessionDetail {
  return { ...toWireSession(session), end_event: endEvent === null ? null : toWireEvent(endEvent) }
}

export function toWireUser(user: User): WireUser {
  return {
    id: user.id,
    identifier: user.identifier,
    created_at: user.createdAt,
    confirmed_at: user.confirmedAt,
    disabled_at: user.disabledAt,
    roles: [...user.roles],
  }
}

export function toWireErasureReport({ userId, ...report }: ErasureReport): WireErasureReport {
  const { events, networks, sessions, devices, tokens, counters } = report
  return { user_id: userId, events, networks, sessions, devices, tokens, counters }
}

export function toWireErasurePreview(preview: ErasurePreview): WireErasurePreview {
  return { ...toWireErasureReport(preview), acts_on_others: preview.actsOnOthers, holds: [...preview.holds] }
}

export function toWireHold(hold: Hold): WireHold {
  const { id, identifier, from, to, reason, reference } = hold
  const { userId: user_id, createdBy: created_by, createdAt: created_at } = hold
  return { id, user_id, identifier, from, to, reason, reference, created_by, created_at }
}

export function toWireInvitation(invitation: Invitation): WireInvitation {
  return {
    id: invitation.id,
    identifier: invitation.identifier,
    roles: [...invitation.roles],
    created_by: invitation.createdBy,
    created_at: invitation.createdAt,
    expires_at: invitation.expiresAt,
    state: invitation.state,
    used_by: invitation.usedBy,
  }
}

export function toWireNewInvitation(invitation: NewInvitation): WireNewInvitation {
  return { ...toWireInvitation(invitation), token: invitation.token }
}

export function toWireActivity(event: LogEvent): WireActivity {
  return {
    id: event.id,
    type: event.type,
    outcome: event.outcome,
    reason: event.reason,
    at: event.at,
    time: new Date(event.at).toISOString(),
    by: event.actor.kind,
    session_id: event.sessionId,
    method: event.method,
    // Where an admin works from is nobody's business but the admins'.
    ...(isByStaff(event) ? NOWHERE : networkOf(event)),
    data: event.data,
  }
}

const NOWHERE = { ip: null, ip_source: null, user_agent: null, device_id: null }

function isByStaff({ actor }: LogEvent): boolean {
  return actor.kind !== 'user' && actor.kind !== 'anonymous'
}

function networkOf(event: LogEvent): Pick<WireActivity, keyof typeof NOWHERE> {
  return { ip: event.ip, ip_source: event.ipSource, user_agent: event.userAgent, device_id: event.deviceId }
}

export function toWireEvent(event: LogEvent): WireEvent {
  return {
    number: event.number,
    id: event.id,
    type: event.type,
    outcome: event.outcome,
    reason: event.reason,
    at: event.at,
    time: new Date(event.at).toISOString(),
    actor: { kind: event.actor.kind, id: event.actor.id },
    subject: event.subject,
    identifier: event.identifier,
    identifier_mask: event.identifierMask,
    identifier_hmac: event.identifierHmac,
    session_id: event.sessionId,
    token_id: event.tokenId,
    method: event.method,
    ip: event.ip,
    ip_source: event.ipSource,
    user_agent: event.userAgent,
    device_id: event.deviceId,
    request_id: event.requestId,
    trace_id: event.traceId,
    data: event.data,
  }
}

export function toWireSessionRecord(session: Session): WireSessionRecord {
  const { id, userId, method, createdAt, lastUsedAt, refreshCount, ip, userAgent, deviceId } = session
  return {
    id,
    user_id: userId,
    method,
    started_at: createdAt,
    last_refreshed_at: refreshCount === 0 ? null : lastUsedAt,
    refresh_count: refreshCount,
    expires_at: session.expiresAt,
    ended_at: session.endedAt,
    end_reason: session.endReason,
    ip,
    user_agent: userAgent,
    device: deviceId,
    client_id: session.clientId,
    parent_id: session.parentId,
  }
}

export function toWireSigningKey(key: SigningKey): WireSigningKey {
  return {
    id: key.id,
    algorithm: key.algorithm,
    state: key.state,
    created_at: key.createdAt,
    activates_at: key.activatesAt,
    activated_at: key.activatedAt,
    retires_at: key.retiresAt,
    ended_at: key.endedAt,
  }
}

export function toWireClient(client: Client): WireClient {
  return {
    id: client.id,
    name: client.name,
    public: client.public,
    redirect_uris: [...client.redirectUris],
    created_by: client.createdBy,
    created_at: client.createdAt,
    revoked_at: client.revokedAt,
  }
}

export function toWireNewClient(client: Client | NewClient): WireNewClient {
  return { ...toWireClient(client), secret: 'secret' in client ? client.secret : null }
}

/** The names that the claims of an access token have. */
export function toWireRevocations({ entries, next, more, asOf }: RevocationPage): WireRevocationPage {
  return {
    entries: entries.map(({ sessionId, kind, generation, reason, forgetAt }) => ({
      sid: sessionId,
      kind,
      gen: generation,
      reason,
      forget_at: forgetAt,
    })),
    next,
    more,
    as_of: asOf,
  }
}
