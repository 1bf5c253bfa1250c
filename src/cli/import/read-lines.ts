import { decodeUtf8 } from '../../util/bytes.ts'
import { ROW_BYTES } from './source-row.ts'

const NEWLINE = 0x0a
const BYTE_ORDER_MARK = '\ufeff'

export type Line =
  | { readonly line: number; readonly text: string }
  | { readonly line: number; readonly problem: string }

/**
 * The lines of a stream with their numbers from 1, without line ends and a byte order mark; blank ones are left out. Never
 * holds more than one line of at most 64 KiB beside the chunk that was read.
 */
export async function* readLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let line = 0
  let parts: Uint8Array[] = []
  let length = 0

  const take = (bytes: Uint8Array): void => {
    length += bytes.length
    // Of one that is too long only the length matters.
    if (length <= ROW_BYTES) parts.push(bytes)
    else parts = []
  }
  const finish = (): Line | null => {
    line += 1
    const whole = length <= ROW_BYTES ? Buffer.concat(parts) : null
    parts = []
    length = 0
    if (whole === null) return { line, problem: `the line is longer than ${ROW_BYTES} bytes` }
    try {
      const text = decodeUtf8(whole).replace(/\r$/, '')
      const bare = line === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
      return bare.trim() === '' ? null : { line, text: bare }
    } catch {
      return { line, problem: 'the line is not UTF-8' }
    }
  }

  for await (const chunk of source) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, end))
      from = end + 1
      const read = finish()
      if (read !== null) yield read
    }
    if (from < chunk.length) take(Buffer.from(chunk.subarray(from)))
  }
  if (length > 0) {
    const read = finish()
    if (read !== null) yield read
  }
}
