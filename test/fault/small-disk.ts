import { execFile } from 'node:child_process'
import { chmod, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A file system of its own that can be filled to the last byte. */
export interface SmallDisk {
  readonly folder: string
  /** Writes until there is no space left. */
  fill(): Promise<void>
  /** Gives the space back. */
  free(): Promise<void>
  remove(): Promise<void>
}

/** Null where this account may not mount one; that takes root on Linux. */
export async function makeSmallDisk(megabytes: number): Promise<SmallDisk | null> {
  const folder = await mkdtemp(join(tmpdir(), 'gatebook-small-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder])
  } catch {
    await rm(folder, { recursive: true })
    return null
  }
  await chmod(folder, 0o755)
  const filler = join(folder, 'filler')
  return {
    folder,
    async fill() {
      const file = await open(filler, 'a')
      try {
        for (const size of [1 << 20, 1 << 12]) {
          const block = Buffer.alloc(size, 1)
          for (;;) {
            const { bytesWritten } = await file.write(block).catch(() => ({ bytesWritten: 0 }))
            if (bytesWritten < size) break
          }
        }
      } finally {
        await file.close()
      }
    },
    free: () => rm(filler, { force: true }),
    async remove() {
      // Lazily: with Node 20, a SQLite handle that was closed keeps its file open until its statements are collected.
      await run('umount', ['-l', folder])
      await rm(folder, { recursive: true })
    },
  }
}
