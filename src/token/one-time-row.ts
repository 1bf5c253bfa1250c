import { type Insertable, type Selectable, sql } from 'kysely'
import type { RowSeal, RowValues } from '../secret/row-seal.ts'
import { chunks } from '../store/chunks.ts'
import type { Store } from '../store/store.ts'
import type { OneTimeTokenTable } from '../store/tables.ts'
import type { Transaction } from '../store/transaction.ts'
import type { Clock } from '../util/clock.ts'
import { generateId } from '../util/id.ts'
import { digestOneTimeToken, type OneTimePurpose } from './one-time.ts'

export interface OneTimeRow {
  readonly id: string
  readonly purpose: OneTimePurpose
  readonly subjectId: string | null
  readonly identifier: string | null
  readonly identifierKey: string | null
  readonly passwordHash: string | null
  readonly roles: readonly string[]
  readonly credentialVersion: number | null
  readonly createdBy: string | null
  readonly binding: string | null
  readonly createdAt: number
  readonly expiresAt: number
  readonly spentAt: number | null
  readonly spentBy: string | null
  readonly revokedAt: number | null
}

/** How long a row stays after it has expired, so that the log can tell a late token from an invented one. */
const KEPT_MILLISECONDS = 7 * 86_400_000
/** Of codes there are as many as there are visits, and who comes with a spent one so late is no thief who was quicker. */
const CODES_KEPT_MILLISECONDS = 3_600_000
const FORGET_BATCH = 500

type NewRow = Pick<Insertable<OneTimeTokenTable>, 'purpose' | 'secret_digest' | 'created_at' | 'expires_at'> &
  Partial<Insertable<OneTimeTokenTable>>

/** The same statement whatever is known: what a row does not have is NULL. Returns the id. */
export async function insertOneTimeToken(tx: Transaction, seal: RowSeal, given: NewRow): Promise<string> {
  const id = generateId(given.purpose === 'invite' ? 'invitation' : 'oneTimeToken', given.created_at)
  const row = {
    subject_id: null,
    identifier: null,
    identifier_key: null,
    password_hash: null,
    roles: null,
    credential_version: null,
    created_by: null,
    binding: null,
    ...given,
    id,
  }
  await tx.db
    .insertInto('gatebook_one_time_token')
    .values({ ...row, spent_at: null, spent_by: null, revoked_at: null, mac: sealOneTimeToken(seal, row) })
    .execute()
  return id
}

type SealedRow = Omit<Selectable<OneTimeTokenTable>, 'password_hash' | 'spent_at' | 'spent_by' | 'revoked_at' | 'mac'>

/**
 * Whoever can write to the database could otherwise put in the digest of a token of their own, for any user and with any role.
 * Without the hash of the password, which goes when the token is spent.
 */
export function sealOneTimeToken(seal: RowSeal, row: SealedRow): Buffer {
  return seal.make('one-time-token', valuesOf(row))
}

function valuesOf(row: SealedRow): RowValues {
  return [
    ...[row.id, row.purpose, row.secret_digest, row.subject_id, row.identifier, row.identifier_key, row.roles],
    ...[row.credential_version, row.created_by, row.binding, Number(row.created_at), Number(row.expires_at)],
  ]
}

function toGenuine(seal: RowSeal, row: Selectable<OneTimeTokenTable> | undefined): OneTimeRow | null {
  return row === undefined || !seal.isGenuine('one-time-token', valuesOf(row), row.mac) ? null : toOneTimeRow(row)
}

/** Null for a token that was never made here, or not for this purpose. Whether it is still good is for the caller to see. */
export async function findOneTimeToken(
  { store, seal }: { readonly store: Store; readonly seal: RowSeal },
  purpose: OneTimePurpose,
  presented: string,
): Promise<OneTimeRow | null> {
  const digest = digestOneTimeToken(purpose, presented)
  if (digest === null) return null
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_one_time_token')
      .selectAll()
      .where('secret_digest', '=', digest)
      .where('purpose', '=', purpose)
      .executeTakeFirst(),
  )
  return toGenuine(seal, row)
}

/** Why a token is good for nothing, or null: it may be used. */
export function problemOf(row: OneTimeRow, now: number): 'expired' | 'used' | 'revoked' | null {
  if (row.spentAt !== null) return 'used'
  if (row.revokedAt !== null) return 'revoked'
  return row.expiresAt <= now ? 'expired' : null
}

/** Locks the row: of several who hold the token, one comes first. Null when it is gone, or not what was made. */
export async function lockOneTimeToken(tx: Transaction, seal: RowSeal, id: string): Promise<OneTimeRow | null> {
  let query = tx.db.selectFrom('gatebook_one_time_token').selectAll().where('id', '=', id)
  if (tx.traits.rowLocks) query = query.forUpdate()
  const row = await query.executeTakeFirst()
  return toGenuine(seal, row)
}

/** Of a row that this transaction has locked. What it held of a person has served its purpose. */
export async function spendOneTimeToken(tx: Transaction, id: string, by: string, now: number): Promise<void> {
  await tx.db
    .updateTable('gatebook_one_time_token')
    .set({ spent_at: now, spent_by: by, password_hash: null })
    .where('id', '=', id)
    .execute()
}

/** Removes rows that have been of no use for a week, and codes after an hour; true when there may be more. */
export async function forgetOneTimeTokens(store: Store, clock: Clock): Promise<boolean> {
  const now = clock.now()
  const stale = await store.read((db) =>
    db
      .selectFrom('gatebook_one_time_token')
      .select('id')
      .where('expires_at', '<', now - KEPT_MILLISECONDS)
      .limit(sql.lit(FORGET_BATCH))
      .execute(),
  )
  const codes = await store.read((db) =>
    db
      .selectFrom('gatebook_one_time_token')
      .select(['id', 'expires_at'])
      .where('purpose', '=', 'code')
      // The order in which they were made, in which they expire as well.
      .orderBy('id')
      .limit(sql.lit(FORGET_BATCH))
      .execute(),
  )
  stale.push(...codes.filter((row) => Number(row.expires_at) < now - CODES_KEPT_MILLISECONDS))
  if (stale.length === 0) return false
  await store.transaction(async ({ db }) => {
    for (const chunk of chunks(stale.map(({ id }) => id))) {
      await db.deleteFrom('gatebook_one_time_token').where('id', 'in', chunk).execute()
    }
  })
  return stale.length >= FORGET_BATCH
}

export function toOneTimeRow(row: Selectable<OneTimeTokenTable>): OneTimeRow {
  const instant = (value: number | null): number | null => (value === null ? null : Number(value))
  return {
    id: row.id,
    purpose: row.purpose,
    subjectId: row.subject_id,
    identifier: row.identifier,
    identifierKey: row.identifier_key,
    passwordHash: row.password_hash,
    roles: row.roles === null ? [] : (JSON.parse(row.roles) as string[]),
    credentialVersion: row.credential_version,
    createdBy: row.created_by,
    binding: row.binding,
    createdAt: Number(row.created_at),
    expiresAt: Number(row.expires_at),
    spentAt: instant(row.spent_at),
    spentBy: row.spent_by,
    revokedAt: instant(row.revoked_at),
  }
}
