import type { DialectName } from '../dialect.ts'
import { initial } from './0001-initial.ts'

/** One record per migration, holding all engines. Order is by name; names and statements of released ones never change. */
export const MIGRATIONS: Readonly<Record<string, (dialect: DialectName) => readonly string[]>> = {
  '0001-initial': initial,
}
