import { randomBytes } from 'node:crypto'
import type { OpenDatabase } from '../dialect.ts'
import { ifAbsent } from '../insert-if-absent.ts'

const NAME = 'database'

/**
 * A random name of this database, made at the first start. By it a connection of the application's is known to lead here:
 * nothing else tells two databases with the same tables apart on every engine.
 */
export async function ensureDatabaseId({ kysely, traits }: OpenDatabase): Promise<string> {
  const read = () => kysely.selectFrom('gatebook_meta').select('value').where('name', '=', NAME).executeTakeFirst()
  const known = await read()
  if (known !== undefined) return known.value
  const value = randomBytes(16).toString('base64url')
  await kysely
    .transaction()
    .execute((db) => ifAbsent(db.insertInto('gatebook_meta').values({ name: NAME, value }), traits, 'name').execute())
  // Another process may have been quicker.
  return (await read())!.value
}
