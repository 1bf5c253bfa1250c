import { existsSync, statSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { findNewestCheckpoint } from '../../log/checkpoint-row.ts'
import { readKnownKeys } from '../../log/log-key.ts'
import { createLogKeys } from '../../log/log-keys.ts'
import { ProofError } from '../../proof/proof-error.ts'
import type { Store } from '../../store/store.ts'
import type { CheckpointTable, Tables } from '../../store/tables.ts'
import type { Check, CheckContext } from '../check.ts'
import type { Finding } from '../findings.ts'
import { hasTables } from './tables.ts'

/** So old may an entry be that no checkpoint covers. */
const LATE_MILLISECONDS = 60_000

/** Whether the log is signed, by what, and what guards it. */
export const log: Check = {
  name: 'log',
  needsDatabase: true,
  async run({ database, config, now }) {
    if (!(await hasTables(database!))) return []
    const { kysely } = database!
    const read = { read: <T>(work: (db: typeof kysely) => Promise<T>) => work(kysely) }
    const signs = config.logSigning.value === 'on'
    const hasKey = (await readKnownKeys(read)).length > 0
    const findings: Finding[] = []
    if (isReadableByOthers(config)) findings.push({ code: 'log-key-readable' })
    if (signs && hasKey && !keyExists(config)) findings.push({ code: 'log-key-missing' })
    if (signs && hasKey && !existsSync(config.logGuard.value as string)) findings.push({ code: 'log-guard-missing' })
    const { size } = await kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    const newest = await findNewestCheckpoint(read)
    // By the key that the database names, and so against its size as well: whoever can write there can write both.
    const isForged = newest !== null && (newest.size > Number(size) || !(await isSigned(read, newest)))
    if (isForged) findings.push({ code: 'log-checkpoint-forged' })
    const covered = isForged ? Number(size) : (newest?.size ?? 0)
    const uncovered = Number(size) - covered
    if (uncovered > 0 && now() - (await writtenAt(kysely, covered)) > LATE_MILLISECONDS) {
      findings.push({ code: 'log-unsigned', figures: { entries: uncovered } })
    }
    return findings.length > 0 ? findings : [{ code: 'log-ok', figures: { signed: newest?.size ?? 0 } }]
  },
}

async function isSigned(store: Pick<Store, 'read'>, row: CheckpointTable): Promise<boolean> {
  try {
    await createLogKeys(store, null).open(row)
    return true
  } catch (error) {
    if (error instanceof ProofError) return false
    throw error
  }
}

/** When the event of an entry was written; 0 when it is gone. */
async function writtenAt(kysely: Kysely<Tables>, index: number): Promise<number> {
  const row = await kysely
    .selectFrom('gatebook_entry')
    .innerJoin('gatebook_event', 'gatebook_event.id', 'gatebook_entry.event_id')
    .select('gatebook_event.at')
    .where('gatebook_entry.log_index', '=', index)
    .executeTakeFirst()
  return Number(row?.at ?? 0)
}

function keyExists(config: CheckContext['config']): boolean {
  return config.logKey.value !== null || existsSync(config.logKeyFile.value as string)
}

function isReadableByOthers(config: CheckContext['config']): boolean {
  const path = config.logKey.value === null ? (config.logKeyFile.value as string) : null
  return process.platform !== 'win32' && path !== null && existsSync(path) && (statSync(path).mode & 0o077) !== 0
}
