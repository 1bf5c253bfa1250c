import type { Dialect } from '../src/store/dialect.ts'
import { generateId } from '../src/util/id.ts'

/** Everybody's. */
export const PASSWORD = 'a passphrase of the benchmark'

const BATCH = 100

export function identifierOf(number: number): string {
  return `user-${String(number).padStart(6, '0')}@example.test`
}

/** Straight into the tables, all with one hash: registering each would take longer than the measurement. */
export async function addUsers(database: Dialect, count: number, passwordHash: string): Promise<void> {
  const { kysely, close } = await database.connect()
  const now = Date.now()
  for (let from = 0; from < count; from += BATCH) {
    const users = Array.from({ length: Math.min(BATCH, count - from) }, (_, place) => {
      const identifier = identifierOf(from + place)
      return { id: generateId('user', now), identifier, identifier_key: identifier, created_at: now }
    })
    const subjects = users.map(({ id }) => ({
      id,
      generation: 0,
      credential_version: 0,
      created_at: now,
      disabled_at: null,
      erased_at: null,
    }))
    await kysely.insertInto('gatebook_user').values(users).execute()
    await kysely.insertInto('gatebook_subject').values(subjects).execute()
    await kysely
      .insertInto('gatebook_credential')
      .values(users.map(({ id }) => ({ user_id: id, password_hash: passwordHash, changed_at: now })))
      .execute()
  }
  await close()
}
