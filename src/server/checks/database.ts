import { existsSync } from 'node:fs'
import type { Check } from '../check.ts'
import { parseDatabaseAddress } from '../database-url.ts'

export const database: Check = {
  name: 'database',
  async run({ config, database }) {
    const { engine, target } = parseDatabaseAddress(config.database.value as string)
    if (database !== null) return [{ code: 'database-ok', figures: { engine } }]
    if (engine === 'sqlite' && !existsSync(target)) return [{ code: 'database-missing' }]
    return [{ code: 'database-unreachable', figures: { engine } }]
  },
}
