import { closeSync, openSync } from 'node:fs'
import { loadSqlite } from './sqlite.ts'

/**
 * A lock between processes that ends with the process that has it, whatever ends that. Node has none; SQLite locks its files
 * with those of the operating system. The file stays empty, and taking the lock waits for no disk.
 *
 * The operating system drops all locks that a process has on a file when it closes any descriptor of it, so that nobody but
 * SQLite may open one that is there.
 */
export async function openFileLock(path: string): Promise<{ tryLock(): boolean; unlock(): void; close(): void }> {
  const { DatabaseSync } = await loadSqlite()
  create(path)
  const handle = new DatabaseSync(path)
  handle.exec('PRAGMA busy_timeout = 0')
  return {
    tryLock() {
      try {
        handle.exec('BEGIN EXCLUSIVE')
        return true
      } catch (error) {
        if (/locked|busy/i.test(String(error))) return false
        throw error
      }
    },
    unlock: () => void handle.exec('ROLLBACK'),
    close: () => void handle.close(),
  }
}

function create(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
