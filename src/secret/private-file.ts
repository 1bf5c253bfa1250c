import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Null when there is none. Throws what the file system throws. */
export async function readPrivateFile(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/**
 * Makes a file that only its owner can read. It is there with all of its content or not at all, and is on the disk before
 * anything is made with it. Where another process was quicker, that one's content is what counts.
 */
export async function placePrivateFile(path: string, content: string): Promise<{ text: string; made: boolean }> {
  try {
    // Not a rename, which would replace what another process has put there.
    await withDraft(path, content, async (draft) => {
      await link(draft, path)
      await rm(draft)
    })
    return { text: content, made: true }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return { text: await readFile(path, 'utf8'), made: false }
    throw error
  }
}

/** The same, but what was there before is there whole until the new one is; it does not come back with a power cut. */
export async function replacePrivateFile(path: string, content: string): Promise<void> {
  await withDraft(path, content, (draft) => rename(draft, path))
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The draft is on the disk before it gets its name; `place` takes it away, and it is gone where that fails too. */
async function withDraft(path: string, content: string, place: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await place(draft)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
