import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'

/** What is known about a subject before a session is started or continued. */
export interface Profile {
  readonly id: string
  readonly generation: number
  readonly credentialVersion: number
  readonly disabledAt: number | null
  /** Granted in Gatebook, sorted. */
  readonly roles: readonly string[]
}

export interface LoginProfile extends Profile {
  /** As it was typed at registration. */
  readonly identifier: string
  readonly passwordHash: string
}

/** A subject that nobody has heard of yet has an empty profile. One statement. */
export async function readProfile(store: Store, subjectId: string): Promise<Profile> {
  const rows = await store.read((db) =>
    db
      .selectFrom('gatebook_subject')
      .leftJoin('gatebook_role', 'gatebook_role.subject_id', 'gatebook_subject.id')
      .select(['gatebook_subject.generation', 'gatebook_subject.credential_version', 'gatebook_subject.disabled_at'])
      .select('gatebook_role.role')
      .where('gatebook_subject.id', '=', subjectId)
      .orderBy('gatebook_role.role')
      .execute(),
  )
  const first = rows[0]
  return {
    id: subjectId,
    generation: first?.generation ?? 0,
    credentialVersion: first?.credential_version ?? 0,
    disabledAt: instantOf(first?.disabled_at),
    roles: rows.flatMap(({ role }) => (role === null ? [] : [role])),
  }
}

/** The id that is looked up for a name that nobody has. */
const NOBODY = 'usr_nobody'

/**
 * One statement, so that password, state and roles belong to one instant. Null when nobody has this identifier; every table
 * is searched nevertheless, because the time must not tell.
 */
export async function findLoginProfile(
  store: Store,
  by: { readonly identifierKey: string } | { readonly userId: string },
): Promise<LoginProfile | null> {
  const rows = await store.read((db) => {
    const found = db.selectFrom('gatebook_user').select('gatebook_user.id')
    const one =
      'userId' in by
        ? found.where('gatebook_user.id', '=', by.userId)
        : found.where('gatebook_user.identifier_key', '=', by.identifierKey)
    return db
      .selectFrom(db.selectNoFrom((eb) => eb.fn.coalesce(one, eb.val(NOBODY)).as('id')).as('who'))
      .leftJoin('gatebook_user', 'gatebook_user.id', 'who.id')
      .leftJoin('gatebook_credential', 'gatebook_credential.user_id', 'who.id')
      .leftJoin('gatebook_subject', 'gatebook_subject.id', 'who.id')
      .leftJoin('gatebook_role', 'gatebook_role.subject_id', 'who.id')
      .select([
        'gatebook_user.id',
        'gatebook_user.identifier',
        'gatebook_credential.password_hash',
        'gatebook_role.role',
      ])
      .select(['gatebook_subject.generation', 'gatebook_subject.credential_version', 'gatebook_subject.disabled_at'])
      .orderBy('gatebook_role.role')
      .execute()
  })
  const { id, identifier, password_hash: passwordHash, generation, credential_version: credentialVersion } = rows[0]!
  if (id === null || identifier === null || passwordHash === null) return null
  if (generation === null || credentialVersion === null) return null
  return {
    id,
    identifier,
    passwordHash,
    generation,
    credentialVersion,
    disabledAt: instantOf(rows[0]!.disabled_at),
    roles: rows.flatMap(({ role }) => (role === null ? [] : [role])),
  }
}

function instantOf(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value)
}

/** Of a subject whose sessions this transaction has locked, so that it stays what it is. */
export async function readGeneration(tx: Pick<Transaction, 'db'>, subjectId: string): Promise<number> {
  const row = await tx.db
    .selectFrom('gatebook_subject')
    .select('generation')
    .where('id', '=', subjectId)
    .executeTakeFirst()
  return row?.generation ?? 0
}
