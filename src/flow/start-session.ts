import type { Insertable } from 'kysely'
import type { RequestContext, SessionTokens } from '../api.ts'
import type { CommittedFields } from '../event/commitment.ts'
import type { NewEvent } from '../event/event.ts'
import { CAPS, cleanText } from '../event/redact.ts'
import { rotationState, sessionState } from '../log/row-state.ts'
import { type CheckedGrant, checkClaims } from '../session/session-grant.ts'
import { lockHandedOver, lockLiveSessions, type SessionRow } from '../session/session-row.ts'
import type { DeviceTable, SessionTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { LockedSubject } from '../user/subject.ts'
import { type DeviceId, generateId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

/** What an application's session has of the one that it came of. */
export interface HandOver {
  readonly clientId: string
  readonly parentId: string
  readonly authenticatedAt: number
  readonly deviceId: string | null
}

/** Everything about a session that needs the application or its roles, found out before the transaction begins. */
export interface PreparedSession {
  readonly grant: CheckedGrant
  readonly roles: readonly string[]
  /** The application's claims for the first access token. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly knownDeviceId: DeviceId | null
  readonly context: RequestContext
  readonly loginEvent: Pick<NewEvent, 'identifier' | 'data'>
  /** Where a user who is logged in already goes on to an application. */
  readonly handOver?: HandOver
  /** Where this log-in has replaced the hash of the password. */
  readonly credential?: CommittedFields
}

/** Roles of Gatebook and of the session, once each. */
export function mergeRoles(granted: readonly string[], session: readonly string[]): readonly string[] {
  return [...new Set([...granted, ...session])].sort()
}

/** Asks the application for its claims: outside a transaction, because nobody knows how long that takes. */
export async function collectClaims(
  parts: FlowParts,
  subject: { readonly userId: string; readonly roles: readonly string[] },
  sessionClaims: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const { claims } = parts.settings
  return claims === null ? sessionClaims : checkClaims({ ...sessionClaims, ...(await claims(subject)) })
}

/**
 * Starts a session in a transaction that has locked the subject. Leaves `login.succeeded`, and `session.ended`
 * (session-limit) for each log-in that is too many, with what came of it, or (replaced) for the session that the same log-in had in
 * this application before.
 */
export async function startSession(
  parts: FlowParts,
  tx: Transaction,
  subject: LockedSubject,
  prepared: PreparedSession,
): Promise<SessionTokens> {
  const { settings, log, accessTokens, refreshTokens, deviceTokens } = parts
  const now = settings.clock.now()
  const sessionId = generateId('session', now)
  const { grant, handOver } = prepared
  const newDevice = prepared.knownDeviceId === null && handOver === undefined ? generateId('device', now) : null
  const deviceId = newDevice ?? prepared.knownDeviceId ?? handOver?.deviceId ?? null
  const source = eventSource(prepared.context, { kind: 'user', id: subject.id }, deviceId ?? undefined)
  const absolute = now + settings.refreshAbsoluteSeconds * 1000
  const expiresAt = Math.min(absolute, now + settings.refreshIdleSeconds * 1000)
  const access = accessTokens.issue(
    {
      userId: subject.id,
      sessionId,
      roles: prepared.roles,
      claims: prepared.claims,
      generation: subject.generation,
      authenticatedAt: handOver?.authenticatedAt ?? now,
      clientId: handOver?.clientId ?? null,
    },
    prepared.context.accessTokenMaxBytes,
  )
  const device = newDevice === null ? null : { id: newDevice, subject_id: subject.id, created_at: now }
  const session = {
    id: sessionId,
    subject_id: subject.id,
    method: grant.method,
    roles: grant.roles.length === 0 ? null : JSON.stringify(grant.roles),
    claims: Object.keys(grant.claims).length === 0 ? null : JSON.stringify(grant.claims),
    device_id: deviceId,
    client_id: handOver?.clientId ?? null,
    parent_id: handOver?.parentId ?? null,
    authenticated_at: handOver?.authenticatedAt ?? null,
    ip: source.network?.ip ?? null,
    user_agent: source.network?.userAgent === undefined ? null : cleanText(source.network.userAgent, CAPS.userAgent),
    created_at: now,
    last_used_at: now,
    refresh_counter: 0,
    rotations: '',
    expires_at: expiresAt,
    absolute_expires_at: absolute,
    access_expires_at: access.expiresAt,
    ended_at: null,
    end_reason: null,
  }
  const live = await insertSession(tx, device, session)
  await log.append(tx, [
    {
      ...source,
      ...prepared.loginEvent,
      type: 'login.succeeded',
      outcome: 'success',
      subject: subject.id,
      sessionId,
      tokenId: access.tokenId,
      method: grant.method,
      state: {
        session: sessionState(session),
        rotation: rotationState(session),
        ...(prepared.credential !== undefined && { credential: prepared.credential }),
      },
    },
  ])
  if (handOver !== undefined) await endReplaced(parts, tx, subject.id, session, source)
  else if (live > settings.sessionsPerUser) await endExcessSessions(parts, tx, subject.id, sessionId, source)
  return {
    accessToken: access.token,
    tokenType: 'Bearer',
    expiresIn: access.expiresIn,
    refreshToken: refreshTokens.issue({ sessionId, counter: 0 }),
    refreshExpiresIn: Math.floor((expiresAt - now) / 1000),
    sessionId,
    userId: subject.id,
    // Its browser has shown it to Gatebook's own pages; an application is not one.
    deviceToken: handOver === undefined ? deviceTokens.issue((newDevice ?? prepared.knownDeviceId)!, subject.id) : '',
  }
}

/** Returns the number of live sessions of the subject, this one included. */
async function insertSession(
  tx: Transaction,
  device: Insertable<DeviceTable> | null,
  session: Insertable<SessionTable>,
): Promise<number> {
  const subjectId = session.subject_id
  if (tx.traits.insertsInWith && device !== null) {
    const inserting = tx.db
      .with('device', (db) => db.insertInto('gatebook_device').values(device))
      .with('session', (db) => db.insertInto('gatebook_session').values(session))
    return (await countLive(inserting, subjectId)) + 1
  }
  if (device !== null) await tx.db.insertInto('gatebook_device').values(device).execute()
  await tx.db.insertInto('gatebook_session').values(session).execute()
  return countLive(tx.db, subjectId)
}

async function countLive(db: Pick<Transaction['db'], 'selectFrom'>, subjectId: string): Promise<number> {
  const { live } = await db
    .selectFrom('gatebook_session')
    .select((eb) => eb.fn.countAll<number>().as('live'))
    .where('subject_id', '=', subjectId)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(live)
}

async function endReplaced(
  parts: FlowParts,
  tx: Transaction,
  subjectId: string,
  { id, parent_id: parent, client_id: client }: Pick<SessionRow, 'id' | 'parent_id' | 'client_id'>,
  source: ReturnType<typeof eventSource>,
): Promise<void> {
  const came = await lockHandedOver(tx, { id: parent!, subject_id: subjectId })
  const before = came.filter((session) => session.client_id === client && session.id !== id)
  await parts.sessionEnder.end(tx, before, 'replaced', source)
}

async function endExcessSessions(
  parts: FlowParts,
  tx: Transaction,
  subjectId: string,
  newest: string,
  source: ReturnType<typeof eventSource>,
): Promise<void> {
  const { sessionsPerUser } = parts.settings
  // Ids sort by the time they were made. Sessions of applications are none of these: each log-in has one for each.
  const others = (await lockLiveSessions(tx, subjectId, newest)).filter(({ client_id: client }) => client === null)
  for (const oldest of others.slice(0, Math.max(0, others.length + 1 - sessionsPerUser))) {
    await parts.sessionEnder.endWithHandedOver(tx, oldest, 'session-limit', source)
  }
}
