import { defaultHashConcurrency } from '../credential/hash-queue.ts'
import { resolveOptions, type Settings } from '../options.ts'
import type { Dialect, OpenDatabase } from '../store/dialect.ts'
import { systemClock } from '../util/clock.ts'
import type { Check, CheckContext } from './check.ts'
import { clock } from './checks/clock.ts'
import { database } from './checks/database.ts'
import { disk } from './checks/disk.ts'
import { hashing } from './checks/hashing.ts'
import { issuer } from './checks/issuer.ts'
import { log } from './checks/log.ts'
import { mail } from './checks/mail.ts'
import { proxies } from './checks/proxies.ts'
import { secret } from './checks/secret.ts'
import { sequencer } from './checks/sequencer.ts'
import { tables } from './checks/tables.ts'
import { views } from './checks/views.ts'
import { type Config, type Environment, libraryOptions } from './config.ts'
import { findMissingFile } from './database-file.ts'
import { parseDatabaseUrl } from './database-url.ts'
import type { Finding } from './findings.ts'

export const CHECKS: readonly Check[] = [
  database,
  tables,
  views,
  sequencer,
  log,
  disk,
  clock,
  secret,
  issuer,
  proxies,
  hashing,
  mail,
]

export interface CheckedPart {
  readonly check: string
  readonly findings: readonly Finding[]
}

/** Longer than anything takes that answers at all. */
const PATIENCE_MILLISECONDS = 20_000

export interface ExamineOptions {
  readonly config: Config
  readonly environment: Environment
  readonly now?: () => number
  /** Default: all. */
  readonly checks?: readonly Check[]
}

/** Looks at everything and changes nothing. Never rejects: what cannot be looked at is a finding. */
export async function examine({
  config,
  environment,
  now = Date.now,
  checks = CHECKS,
}: ExamineOptions): Promise<readonly CheckedPart[]> {
  const opened = await open(config)
  const context: CheckContext = {
    config,
    environment,
    settings: resolve(config, opened.dialect),
    now,
    database: opened.database,
  }
  try {
    const wanted = checks.filter(({ needsDatabase }) => needsDatabase !== true || context.database !== null)
    return await Promise.all(
      wanted.map(async (check) => ({ check: check.name, findings: await runBounded(check, context) })),
    )
  } finally {
    await opened.database?.close().catch(() => undefined)
  }
}

async function runBounded(check: Check, context: CheckContext): Promise<readonly Finding[]> {
  const gone = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('it took too long')), PATIENCE_MILLISECONDS).unref()
  })
  return Promise.race([check.run(context), gone]).catch((error: unknown) => {
    const { code, name } = error as { code?: unknown; name?: string }
    return [{ code: 'check-failed', figures: { error: typeof code === 'string' ? code : (name ?? 'Error') } }]
  })
}

/** A SQLite file that is not there must not be made by looking for it. */
async function open(config: Config): Promise<{ dialect: Dialect; database: OpenDatabase | null }> {
  const dialect = parseDatabaseUrl(config.database.value as string, config.database.name)
  if (findMissingFile(config) !== null) return { dialect, database: null }
  try {
    const database = await dialect.connect()
    try {
      await database.kysely.introspection.getTables()
      return { dialect, database }
    } catch {
      await database.close()
    }
  } catch {
    // The check of the database says so.
  }
  return { dialect, database: null }
}

function resolve(config: Config, database: Dialect): Settings | null {
  try {
    const issuer = (config.issuer.value as string | null) ?? 'http://localhost'
    const options = { ...libraryOptions(config), issuer, database, attach: true }
    return resolveOptions(options, systemClock, defaultHashConcurrency())
  } catch {
    return null
  }
}
