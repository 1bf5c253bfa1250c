/**
 * Invite somebody to register, and take an invitation back.
 *
 * Events: `invitation.created`; `invitation.revoked`, unless it was of no use any more.
 */

import { sql } from 'kysely'
import type { Invitation, InvitationInput, NewInvitation, Page, PageOptions, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { encodeCursor, parseCursor, parseLimit } from '../log/cursor.ts'
import { generateOneTimeToken } from '../token/one-time.ts'
import {
  insertOneTimeToken,
  lockOneTimeToken,
  type OneTimeRow,
  problemOf,
  toOneTimeRow,
} from '../token/one-time-row.ts'
import { isEmailAddress } from '../user/email-address.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { parseRole } from '../user/role.ts'
import { isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

const LONGEST_SECONDS = 90 * 86_400

export async function createInvitation(
  parts: FlowParts,
  input: InvitationInput = {},
  context: RequestContext = {},
): Promise<NewInvitation> {
  const { settings, store, log, identifiers, mails } = parts
  const { sendInvitation } = settings
  const identifier = input.identifier?.trim()
  const identifierKey = identifier === undefined ? null : normalizeIdentifier(identifier)
  const roles = [...new Set((input.roles ?? []).map(parseRole))].sort()
  if (roles.length > 64) throw new GatebookError('ERR_ROLE_INVALID', { detail: 'at most 64 roles' })
  const seconds = input.expiresInSeconds ?? settings.invitationSeconds
  if (!Number.isSafeInteger(seconds) || seconds < 60 || seconds > LONGEST_SECONDS) {
    throw new GatebookError('ERR_OPTION_INVALID', { detail: `expiresInSeconds: it must be 60 to ${LONGEST_SECONDS}.` })
  }
  if (input.send === true) {
    if (sendInvitation === null) throw new GatebookError('ERR_MAIL_UNAVAILABLE', { detail: 'set sendInvitation' })
    if (identifier === undefined || !isEmailAddress(identifier)) throw new GatebookError('ERR_IDENTIFIER_NOT_EMAIL')
  }
  const { token, digest } = generateOneTimeToken('invite')
  const now = settings.clock.now()
  const expiresAt = now + seconds * 1000
  const source = eventSource(context, { kind: 'application' })
  const createdBy = source.actor.id ?? source.actor.kind
  const id = await store.transaction(async (tx) => {
    const invitation = await insertOneTimeToken(tx, parts.seal, {
      purpose: 'invite',
      secret_digest: digest,
      identifier: identifier ?? null,
      identifier_key: identifierKey,
      roles: roles.length === 0 ? null : JSON.stringify(roles),
      created_by: createdBy,
      created_at: now,
      expires_at: expiresAt,
    })
    await log.append(tx, [
      {
        ...source,
        type: 'invitation.created',
        outcome: 'success',
        ...(identifier !== undefined && {
          identifier: identifiers.describe(identifier, identifierKey!, false),
        }),
        data: { invitation, expires_at: expiresAt, ...(roles.length > 0 && { roles: namesThatFit(roles) }) },
      },
    ])
    return invitation
  })
  if (input.send === true && identifier !== undefined) {
    const recipient = { userId: null, identifier, language: context.language ?? null, expiresAt }
    mails.add({ kind: 'invite', names: [identifierKey], send: () => sendInvitation!(recipient, token) })
  }
  return {
    id,
    token,
    identifier: identifier ?? null,
    roles,
    createdBy,
    createdAt: now,
    expiresAt,
    state: 'open',
    usedBy: null,
  }
}

/** Newest first; gone a week after they have expired. */
export async function listInvitations(
  { store, settings }: FlowParts,
  options: PageOptions = {},
): Promise<Page<Invitation>> {
  const limit = parseLimit(options.limit)
  const before = options.cursor === undefined ? undefined : parseCursor(options.cursor)
  if (before !== undefined && !isId('invitation', before)) throw new GatebookError('ERR_CURSOR_INVALID')
  const rows = await store.read((db) => {
    const query = db
      .selectFrom('gatebook_one_time_token')
      .selectAll()
      .where('purpose', '=', 'invite')
      .orderBy('id', 'desc')
      .limit(sql.lit(limit + 1))
    return (before === undefined ? query : query.where('id', '<', before)).execute()
  })
  const now = settings.clock.now()
  const items = rows.slice(0, limit).map((row) => toInvitation(toOneTimeRow(row), now))
  return { items, next: rows.length > limit ? encodeCursor(items.at(-1)!.id) : null }
}

/** False when it was of no use any more: then nothing happens and no event is left. */
export async function revokeInvitation(
  { store, log, settings, seal }: FlowParts,
  id: string,
  context: RequestContext = {},
): Promise<boolean> {
  return store.transaction(async (tx) => {
    const row = isId('invitation', id) ? await lockOneTimeToken(tx, seal, id) : null
    if (row === null || row.purpose !== 'invite') throw new GatebookError('ERR_INVITATION_NOT_FOUND')
    const now = settings.clock.now()
    if (problemOf(row, now) !== null) return false
    await tx.db.updateTable('gatebook_one_time_token').set({ revoked_at: now }).where('id', '=', id).execute()
    const source = eventSource(context, { kind: 'application' })
    await log.append(tx, [{ ...source, type: 'invitation.revoked', outcome: 'success', data: { invitation: id } }])
    return true
  })
}

function toInvitation(row: OneTimeRow, now: number): Invitation {
  return {
    id: row.id,
    identifier: row.identifier,
    roles: row.roles,
    createdBy: row.createdBy ?? '',
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    state: problemOf(row, now) ?? 'open',
    usedBy: row.spentBy,
  }
}

/** An event holds 4 KiB of data; sixty-four roles of full length are more. The role.granted events name each one. */
function namesThatFit(roles: readonly string[]): readonly string[] {
  return roles.slice(0, 32)
}
