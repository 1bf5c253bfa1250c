import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GatebookError } from '../errors.ts'
import type { EntryTable } from '../store/tables.ts'

/**
 * What is taken out of the log, one JSON object a line: first what the log said of itself, then the rows of `gatebook_entry` with
 * bytes in base64, at last the counts. A file without the last line is of a run that came to nothing.
 */
export interface EvidenceFile {
  /** From the start, in case that the transaction runs again. */
  begin(about: object): Promise<void>
  add(rows: readonly EntryTable[]): Promise<void>
  /** Has reached the disk when it resolves, and stays from then on. */
  finish(counts: object): Promise<void>
  /** Removes it unless it was finished. */
  close(): Promise<void>
}

/** Throws ERR_FILE when it is there already, or cannot be made. */
export async function openEvidenceFile(path: string): Promise<EvidenceFile> {
  const orUnusable = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      throw new GatebookError('ERR_FILE', { cause, detail: `${path}: ${(cause as Error).message}.` })
    }
  }
  const file = await orUnusable(() => open(path, 'ax', 0o600))
  let finished = false
  const write = (line: object): Promise<void> => orUnusable(() => file.appendFile(`${JSON.stringify(line)}\n`))
  return {
    async begin(about) {
      await orUnusable(() => file.truncate(0))
      await write(about)
    },
    async add(rows) {
      for (const { log_index, event_id, leaf, leaf_hash, mac } of rows) {
        await write({
          log_index: Number(log_index),
          event_id,
          leaf: encode(leaf),
          leaf_hash: encode(leaf_hash),
          mac: encode(mac),
        })
      }
    },
    async finish(counts) {
      await write(counts)
      await orUnusable(async () => {
        await file.sync()
        const folder = await open(dirname(path), 'r')
        try {
          await folder.sync()
        } finally {
          await folder.close()
        }
      })
      finished = true
    },
    async close() {
      await file.close()
      if (!finished) await rm(path, { force: true })
    },
  }
}

function encode(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString('base64')
}
