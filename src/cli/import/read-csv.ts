import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { GatebookError } from '../../errors.ts'
import { malformed, ROW_BYTES, type SourceRow } from './source-row.ts'

interface Parsed {
  readonly record: readonly string[]
  readonly info: { readonly lines: number }
}

/**
 * CSV (RFC 4180) with the names of the columns in its first record. An empty field is a member that is not there. Throws
 * ERR_ROW_MALFORMED for names that come twice, and where quotes are so wrong that nobody can tell where a record ends.
 */
export async function* readCsv(input: AsyncIterable<Uint8Array>): AsyncGenerator<SourceRow> {
  const parser = parse({ bom: true, info: true, relax_column_count: true, max_record_size: ROW_BYTES })
  const source = Readable.from(decode(input))
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let names: readonly string[] | null = null
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      if (names === null) names = readNames(record)
      else if (record.length === 1 && record[0]!.trim() === '') continue
      else if (record.length !== names.length) {
        yield malformed(info.lines, `the record has ${record.length} fields, and there are ${names.length} columns`)
      } else {
        const members = names.map((name, place) => [name, record[place]] as const).filter(([, field]) => field !== '')
        yield { line: info.lines, members: Object.fromEntries(members) }
      }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = (error as unknown as { lines?: number }).lines ?? 0
    throw new GatebookError('ERR_ROW_MALFORMED', { detail: `Line ${line}: ${CSV_PROBLEMS[error.code] ?? error.code}.` })
  }
}

/** Its own messages quote the field. */
const CSV_PROBLEMS: Readonly<Record<string, string>> = {
  CSV_MAX_RECORD_SIZE: `the record is longer than ${ROW_BYTES} bytes, or a quote is not closed`,
  CSV_QUOTE_NOT_CLOSED: 'a quote is not closed',
  CSV_INVALID_CLOSING_QUOTE: 'something stands behind a closing quote',
  INVALID_OPENING_QUOTE: 'a quote stands in the middle of a field',
}

function readNames(record: readonly string[]): readonly string[] {
  const names = record.map((name) => name.trim())
  const twice = names.find((name, place) => names.indexOf(name) !== place)
  if (twice !== undefined) throw new GatebookError('ERR_ROW_MALFORMED', { detail: `The column ${twice} comes twice.` })
  if (!names.includes('identifier')) {
    throw new GatebookError('ERR_ROW_MALFORMED', {
      detail: 'The first line must name the columns, and one of them must be identifier.',
    })
  }
  return names
}

async function* decode(input: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of input) yield utf8.decode(chunk, { stream: true })
    yield utf8.decode()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new GatebookError('ERR_ROW_MALFORMED', { detail: 'The file is not UTF-8.' })
  }
}
