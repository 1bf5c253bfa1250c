import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from './config.ts'
import { parseDatabaseAddress } from './database-url.ts'

/** The absolute path of a SQLite file that is not there; null for files that are, and for servers. */
export function findMissingFile(config: Config): string | null {
  const { engine, target } = parseDatabaseAddress(config.database.value as string, config.database.name)
  return engine !== 'sqlite' || existsSync(target) ? null : resolve(target)
}
