import { GatebookError } from '../errors.ts'
import type { Store } from '../store/store.ts'

const ROLE = /^[a-z0-9_:.-]{1,64}$/

/** Throws ERR_ROLE_INVALID. */
export function parseRole(role: string): string {
  if (typeof role !== 'string' || !ROLE.test(role)) throw new GatebookError('ERR_ROLE_INVALID')
  return role
}

export async function listRoles(db: Store['db'], subjectId: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('gatebook_role')
    .select('role')
    .where('subject_id', '=', subjectId)
    .orderBy('role')
    .execute()
  return rows.map(({ role }) => role)
}
