import { GatebookError } from '../../errors.ts'
import type { Settings } from '../../options.ts'
import type { OpenDatabase } from '../dialect.ts'
import { listPending, migrateOpen } from './migrate.ts'

/** Brings the tables up to date; throws ERR_MIGRATION where that is not to be done, and would have to be. */
export async function prepareTables(settings: Settings, database: OpenDatabase): Promise<void> {
  if (settings.autoMigrate) {
    const applied = await migrateOpen(database)
    if (applied.length > 0) settings.diagnostics.info({ applied }, 'The tables were brought up to date.')
    return
  }
  const pending = await listPending(database)
  if (pending.length > 0) {
    throw new GatebookError('ERR_MIGRATION', {
      detail: `Run gatebook migrate first: ${pending.map(({ name }) => name).join(', ')} not applied, and autoMigrate is off.`,
    })
  }
}
