import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { GatebookError } from '../errors.ts'

/** The bundled list of common passwords; `common-passwords.md` states where it comes from. */
export interface CommonPasswords {
  /** @param folded the whole password: NFC, lower-cased, NFC */
  has(folded: string): boolean
  /** Number of entries. */
  readonly size: number
}

const NEWLINE = 0x0a
const decompress = promisify(brotliDecompress)

// One list for the process: it never changes, and most processes that embed Gatebook need it once or not at all.
let loading: Promise<CommonPasswords> | undefined

/**
 * Loads the list on the first call and returns the same one ever after. Reading and decompression run off the event
 * loop; the list is kept as it is in the file, about 2 MB outside the heap, and searched there.
 *
 * @throws GatebookError `ERR_INTERNAL` when the bundled file cannot be read. The next call tries again.
 */
export function loadCommonPasswords(): Promise<CommonPasswords> {
  loading ??= load().catch((cause: unknown) => {
    loading = undefined
    throw new GatebookError('ERR_INTERNAL', { detail: 'the bundled list of common passwords cannot be read', cause })
  })
  return loading
}

async function load(): Promise<CommonPasswords> {
  return searchable(await decompress(await readFile(new URL('./common-passwords.txt.br', import.meta.url))))
}

/** @param text UTF-8 lines in the order of their bytes, each ended by a newline */
function searchable(text: Buffer): CommonPasswords {
  let size = 0
  for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1)) size += 1

  return {
    size,
    has(folded) {
      const wanted = Buffer.from(folded, 'utf8')
      // Both bounds are always the start of a line (or the end of the text); the middle may fall anywhere in one.
      let low = 0
      let high = text.length
      while (low < high) {
        const middle = (low + high) >>> 1
        const start = middle === 0 ? 0 : text.lastIndexOf(NEWLINE, middle - 1) + 1
        const end = text.indexOf(NEWLINE, middle)
        const order = text.compare(wanted, 0, wanted.length, start, end)
        if (order === 0) return true
        if (order > 0) high = start
        else low = end + 1
      }
      return false
    },
  }
}
