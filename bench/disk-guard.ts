import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A guard that waits for a disk, as one of an installation does; those of the tests are in memory. */
export async function withDiskGuard<T>(work: (guard: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gatebook-bench-'))
  try {
    return await work(join(folder, 'guard'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
