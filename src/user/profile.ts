import type { Store } from '../store/store.ts'

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

/** One statement, so that password, state and roles belong to one instant. Null when nobody has this identifier. */
export async function findLoginProfile(
  store: Store,
  by: { readonly identifierKey: string } | { readonly userId: string },
): Promise<LoginProfile | null> {
  const rows = await store.read((db) => {
    const query = db
      .selectFrom('gatebook_user')
      .innerJoin('gatebook_credential', 'gatebook_credential.user_id', 'gatebook_user.id')
      .innerJoin('gatebook_subject', 'gatebook_subject.id', 'gatebook_user.id')
      .leftJoin('gatebook_role', 'gatebook_role.subject_id', 'gatebook_user.id')
      .select([
        'gatebook_user.id',
        'gatebook_user.identifier',
        'gatebook_credential.password_hash',
        'gatebook_role.role',
      ])
      .select(['gatebook_subject.generation', 'gatebook_subject.credential_version', 'gatebook_subject.disabled_at'])
      .orderBy('gatebook_role.role')
    return 'userId' in by
      ? query.where('gatebook_user.id', '=', by.userId).execute()
      : query.where('gatebook_user.identifier_key', '=', by.identifierKey).execute()
  })
  const first = rows[0]
  if (first === undefined) return null
  return {
    id: first.id,
    identifier: first.identifier,
    passwordHash: first.password_hash,
    generation: first.generation,
    credentialVersion: first.credential_version,
    disabledAt: instantOf(first.disabled_at),
    roles: rows.flatMap(({ role }) => (role === null ? [] : [role])),
  }
}

function instantOf(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value)
}
