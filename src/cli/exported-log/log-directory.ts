import { randomBytes } from 'node:crypto'
import { mkdir, open, opendir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { GatebookError } from '../../errors.ts'
import type { LogDirectory } from '../../log/exported/log-directory.ts'
import { HASH_BYTES } from '../../proof/hash.ts'
import { TILE_WIDTH } from '../../proof/tile.ts'

/** So many files wait for the disk together. */
const UNSYNCED = 1024

/** Of one file. No note or key comes near; a bundle of the longest entries that there can be is the largest one. */
const NOTE_BYTES = 1_048_576
const BUNDLE_BYTES = TILE_WIDTH * (2 + 65_535)

function sizeLimit(name: string): number {
  if (name.startsWith('tile/entries/')) return BUNDLE_BYTES
  return name.startsWith('tile/') ? TILE_WIDTH * HASH_BYTES : NOTE_BYTES
}

/**
 * The folder may come from anybody. A pipe would never end, nor would a link to a device: both are asked about before they are
 * opened, since to open a pipe is to wait. Of a file that is too long, one byte more than it can have: whoever reads that finds fault.
 */
async function readBounded(path: string, limit: number): Promise<Uint8Array> {
  const info = await stat(path)
  if (!info.isFile()) throw new Error('it is no file')
  if (info.size <= limit) return readFile(path)
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(limit + 1)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

export function openLogDirectory(path: string): LogDirectory {
  const at = (name: string): string => join(path, ...name.split('/'))

  const unsynced = new Set<string>()

  /** The files, and the names that they have in their folders. */
  async function sync(): Promise<void> {
    const folders = new Set<string>()
    for (const file of unsynced) {
      await syncPath(file, 'r+')
      for (let folder = dirname(file); folder.length >= path.length && !folders.has(folder); folder = dirname(folder)) {
        folders.add(folder)
      }
    }
    // There a folder cannot be opened.
    if (process.platform !== 'win32') for (const folder of folders) await syncPath(folder, 'r')
    unsynced.clear()
  }

  async function* listFolder(folder: string): AsyncGenerator<string, void, void> {
    const entries = await opendir(at(folder)).catch((error: unknown) => {
      if (folder === '' && isMissing(error)) return null
      throw unusable(at(folder), error)
    })
    if (entries === null) return
    for await (const entry of entries) {
      const name = posix.join(folder, entry.name)
      if (entry.isDirectory()) yield* listFolder(name)
      else yield name
    }
  }

  return {
    async read(name) {
      try {
        return await readBounded(at(name), sizeLimit(name))
      } catch (error) {
        if (isMissing(error)) return null
        throw unusable(at(name), error)
      }
    },
    async write(name, bytes, { durable = false } = {}) {
      if (durable) await sync()
      await writeWhole(at(name), bytes, { folder: path, durable })
      unsynced.add(at(name))
      if (durable || unsynced.size >= UNSYNCED) await sync()
    },
    async remove(name) {
      await rm(at(name), { force: true })
      // The folder of a partial tile is of no other use.
      await rm(dirname(at(name)), { recursive: false }).catch(() => undefined)
    },
    list: () => listFolder(''),
  }
}

async function syncPath(path: string, flags: 'r' | 'r+'): Promise<void> {
  try {
    const file = await open(path, flags)
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    // Removed since: a partial tile that has grown.
    if (!isMissing(error)) throw unusable(path, error)
  }
}

/** Under a name of its own at first, in `folder`, which has to be on the same disk. Throws ERR_FILE. */
export async function writeWhole(
  path: string,
  bytes: Uint8Array,
  { folder = dirname(path), durable = false }: { readonly folder?: string; readonly durable?: boolean } = {},
): Promise<void> {
  const temporary = join(folder, `.writing-${randomBytes(8).toString('hex')}`)
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(temporary, 'wx')
    try {
      await file.writeFile(bytes)
      if (durable) await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw unusable(path, error)
  }
}

export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

export function unusable(path: string, error: unknown): GatebookError {
  return new GatebookError('ERR_FILE', { detail: `${path}: ${(error as Error).message}.`, cause: error })
}
