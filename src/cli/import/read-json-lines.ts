import { parseStrictJson } from '../../util/strict-json.ts'
import { malformed, ROW_BYTES, type SourceRow } from './source-row.ts'

const NEWLINE = 0x0a
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** JSON Lines (jsonlines.org): an object on each line, in UTF-8. A line that is wrong is a row that says so. */
export async function* readJsonLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<SourceRow> {
  let line = 1
  let parts: Uint8Array[] = []
  let size = 0
  const take = (): SourceRow | null => {
    const row =
      size > ROW_BYTES ? malformed(line, `the line is longer than ${ROW_BYTES} bytes`) : parseLine(line, parts)
    line += 1
    parts = []
    size = 0
    return row
  }
  for await (const chunk of input) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      size += end - from
      if (size <= ROW_BYTES) parts.push(chunk.subarray(from, end))
      const row = take()
      if (row !== null) yield row
      from = end + 1
    }
    size += chunk.length - from
    if (size <= ROW_BYTES && from < chunk.length) parts.push(chunk.subarray(from))
  }
  const last = size > 0 ? take() : null
  if (last !== null) yield last
}

/** Null for a line of white space. */
function parseLine(line: number, parts: readonly Uint8Array[]): SourceRow | null {
  let text: string
  try {
    text = utf8.decode(Buffer.concat(parts)).replace(line === 1 ? /^\ufeff/ : '', '')
  } catch {
    return malformed(line, 'the line is not UTF-8')
  }
  if (text.trim() === '') return null
  try {
    const members = parseStrictJson(text)
    if (typeof members !== 'object' || members === null || Array.isArray(members)) {
      return malformed(line, 'the line is no JSON object')
    }
    return { line, members: members as Record<string, unknown> }
  } catch (error) {
    return malformed(
      line,
      `the line is ${(error as Error).message === 'not valid JSON' ? 'no JSON' : 'JSON with two members of one name'}`,
    )
  }
}
