import { type Anchor, AnchorError } from '../anchor.ts'
import { appendNote } from '../anchor-file.ts'

export interface FileAnchorOptions {
  readonly name: string
  readonly path: string
}

/** Appends to a file; see `anchor-file.ts`. Its folder has to be there: it may be one that is mounted. */
export function createFileAnchor({ name, path }: FileAnchorOptions): Anchor {
  return {
    name,
    async put({ note }) {
      try {
        await appendNote(path, note)
      } catch (error) {
        const { code, syscall } = error as NodeJS.ErrnoException
        if (syscall === undefined) throw error
        throw new AnchorError(`The file cannot be written (${code}).`, { cause: error })
      }
      return {}
    },
  }
}
