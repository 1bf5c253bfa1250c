import { GatebookError } from '../../errors.ts'
import { readPrivateFile, replacePrivateFile } from '../../secret/private-file.ts'
import type { FileLock, Guard } from '../guard.ts'

/** A file, replaced as a whole with each checkpoint, and beside it `PATH.lock`. */
export function createFileGuard(path: string, openLock: (path: string) => Promise<FileLock>): Guard {
  let opening: Promise<FileLock> | undefined
  let taken = false

  const openOnce = (): Promise<FileLock> => {
    // Where the folder is not there yet, or not writable for a moment, the next try opens it.
    opening ??= openLock(`${path}.lock`).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  const orUnusable = <T>(work: () => Promise<T>): Promise<T> =>
    work().catch((cause: unknown) => {
      throw new GatebookError('ERR_LOG_GUARD_UNUSABLE', {
        cause,
        detail: `logGuard: ${path}: ${cause instanceof Error ? cause.message : String(cause)}.`,
      })
    })

  return {
    location: path,
    async tryLock() {
      const lock = await orUnusable(openOnce)
      if (taken || !(await orUnusable(async () => lock.tryLock()))) return null
      taken = true
      return {
        read: () => orUnusable(() => readPrivateFile(path)),
        write: (note) => orUnusable(() => replacePrivateFile(path, note)),
        async unlock() {
          taken = false
          lock.unlock()
        },
      }
    },
    // Replaced as a whole, so what is read is whole without the lock too.
    peek: () => orUnusable(() => readPrivateFile(path)),
    async close() {
      const lock = await opening?.catch(() => undefined)
      lock?.close()
    },
  }
}
