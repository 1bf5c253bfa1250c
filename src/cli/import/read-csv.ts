import { parse } from 'csv-parse/sync'
import { GatebookError } from '../../errors.ts'
import { readLines } from './read-lines.ts'
import { malformed, type SourceRow } from './source-row.ts'
import { isTellable } from './to-imported-user.ts'

/**
 * CSV (RFC 4180) with the names of the columns in its first line. An empty field is a member that is not there. Each line is
 * parsed by itself, so that a quote that nobody closed, or a byte that is not UTF-8, spoils its line and not the rest of the file:
 * no member has a line break in it. Throws ERR_ROW_MALFORMED for names that are missing or come twice.
 */
export async function* readCsv(input: AsyncIterable<Uint8Array>): AsyncGenerator<SourceRow> {
  let names: readonly string[] | null = null
  for await (const read of readLines(input)) {
    if (names === null) names = readNames('problem' in read ? null : read.text)
    else if ('problem' in read) yield malformed(read.line, read.problem)
    else yield parseRecord(read.line, read.text, names)
  }
}

function parseRecord(line: number, text: string, names: readonly string[]): SourceRow {
  const record = parseFields(text)
  if (record === null)
    return malformed(line, 'the line is no record: a quote is not closed, or stands inside of a field')
  if (record.length !== names.length) {
    return malformed(line, `the record has ${record.length} fields, and there are ${names.length} columns`)
  }
  const members = names.map((name, place) => [name, record[place]] as const).filter(([, field]) => field !== '')
  return { line, members: Object.fromEntries(members) }
}

/** Null for what is no record; the parser's own messages quote the field. */
function parseFields(text: string): readonly string[] | null {
  try {
    const records = parse(text, { relax_column_count: true })
    return records.length === 1 ? records[0]! : null
  } catch {
    return null
  }
}

function readNames(text: string | null): readonly string[] {
  const names = (text === null ? null : parseFields(text))?.map((name) => name.trim()) ?? []
  const twice = names.find((name, place) => names.indexOf(name) !== place)
  if (twice !== undefined) {
    throw new GatebookError('ERR_ROW_MALFORMED', {
      detail: `The column${isTellable(twice) ? ` ${twice}` : ''} comes twice.`,
    })
  }
  if (!names.includes('identifier')) {
    throw new GatebookError('ERR_ROW_MALFORMED', {
      detail: 'The first line must name the columns, and one of them must be identifier.',
    })
  }
  return names
}
