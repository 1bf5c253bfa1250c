import { CompiledQuery, type Migration, Migrator } from 'kysely'
import { GatebookError } from '../../errors.ts'
import type { Dialect, DialectName, OpenDatabase } from '../dialect.ts'
import { MIGRATIONS } from './migrations.ts'

const MIGRATION_TABLE = 'gatebook_migration'
const LOCK_TABLE = 'gatebook_migration_lock'
// A type on two engines and a plain name on all three.
const TIMESTAMP = 'timestamp'
/** As Kysely's migrator makes them where they are missing. */
const BOOKKEEPING = [
  `CREATE TABLE IF NOT EXISTS ${MIGRATION_TABLE} (name varchar(255) NOT NULL PRIMARY KEY, ${TIMESTAMP} varchar(255) NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS ${LOCK_TABLE} (id varchar(255) NOT NULL PRIMARY KEY, is_locked integer DEFAULT 0 NOT NULL)`,
  `INSERT INTO ${LOCK_TABLE} (id, is_locked) SELECT 'migration_lock', 0 WHERE NOT EXISTS (SELECT 1 FROM ${LOCK_TABLE})`,
]

export interface MigrationStatements {
  readonly name: string
  readonly statements: readonly string[]
}

/** Every migration of this version, as plain SQL for one engine. */
export function migrationStatements(dialect: DialectName): readonly MigrationStatements[] {
  return Object.entries(MIGRATIONS).map(([name, statementsFor]) => ({ name, statements: statementsFor(dialect) }))
}

/** The same with what the migrator itself notes down, so that a database that was set up by hand counts as set up. */
export function migrationScript(migrations: readonly MigrationStatements[]): readonly MigrationStatements[] {
  const now = new Date().toISOString()
  const note = ({ name, statements }: MigrationStatements): MigrationStatements => ({
    name,
    statements: [...statements, `INSERT INTO ${MIGRATION_TABLE} (name, ${TIMESTAMP}) VALUES ('${name}', '${now}')`],
  })
  return migrations.length === 0 ? [] : [{ name: 'bookkeeping', statements: BOOKKEEPING }, ...migrations.map(note)]
}

/** Those that this database has not had yet. Changes nothing. */
export async function pendingMigrations(dialect: Dialect): Promise<readonly MigrationStatements[]> {
  const database = await dialect.connect()
  try {
    return await listPending(database)
  } finally {
    await database.close()
  }
}

/** Brings the tables up to date under a lock that other processes wait for. Throws ERR_MIGRATION. */
export async function migrate(dialect: Dialect): Promise<{ readonly applied: readonly string[] }> {
  const database = await dialect.connect()
  try {
    return { applied: await migrateOpen(database) }
  } finally {
    await database.close()
  }
}

export async function migrateOpen(database: OpenDatabase): Promise<readonly string[]> {
  const { error, results = [] } = await migratorFor(database).migrateToLatest()
  if (error !== undefined) throw failed(database, error)
  return results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName)
}

export async function listPending(database: OpenDatabase): Promise<readonly MigrationStatements[]> {
  try {
    const migrations = await migratorFor(database).getMigrations()
    const pending = new Set(migrations.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name))
    return migrationStatements(database.traits.name).filter(({ name }) => pending.has(name))
  } catch (error) {
    throw failed(database, error)
  }
}

function failed(database: OpenDatabase, error: unknown): GatebookError {
  const problem = error instanceof Error ? error.message : String(error)
  if (database.traits.isUnavailable(error)) {
    return new GatebookError('ERR_DATABASE', { cause: error, detail: `The database does not answer: ${problem}` })
  }
  return new GatebookError('ERR_MIGRATION', {
    cause: error,
    detail: `The tables cannot be brought up to date: ${problem}`,
  })
}

function migratorFor({ kysely, traits }: OpenDatabase): Migrator {
  return new Migrator({
    db: kysely,
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: LOCK_TABLE,
    provider: {
      async getMigrations() {
        const steps = migrationStatements(traits.name).map(({ name, statements }): [string, Migration] => [
          name,
          {
            async up(db) {
              for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement))
            },
          },
        ])
        return Object.fromEntries(steps)
      },
    },
  })
}
