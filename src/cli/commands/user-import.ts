import { createReadStream, createWriteStream, readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import type { ImportCounts, ImportedUser, ImportReport } from '../../api.ts'
import { GatebookError, isGatebookError } from '../../errors.ts'
import { formatSafeJson } from '../../server/escape-unsafe.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { readCsv } from '../import/read-csv.ts'
import { readJsonLines } from '../import/read-json-lines.ts'
import type { SourceRow } from '../import/source-row.ts'
import { type FirebaseParameters, toImportedUser } from '../import/to-imported-user.ts'
import { printFields, type Terminal } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

interface ImportFlags extends CommonFlags {
  readonly format?: string
  readonly dryRun?: boolean
  readonly refused?: string
  readonly firebaseParameters?: string
}

const FORMATS = { jsonl: readJsonLines, csv: readCsv } as const
/** Refusals that are shown one by one; the rest are counted, and in the file of `--refused`. */
const SHOWN = 50

export function defineUserImport(group: Command, context: CommandContext): void {
  const command = group
    .command('import')
    .description('Bring users along from another system, with their password hashes. Run it again after a stop.')
    .argument('<file>', 'JSON Lines or CSV; - for the standard input')
  command
    .option('--format <format>', 'jsonl or csv (default: by the ending of the name)')
    .option('--dry-run', 'check every row, write nothing')
    .option('--refused <path>', 'write the rows that were refused there, one JSON object a line: line, code, detail')
    .option(
      '--firebase-parameters <path>',
      'JSON file with signer_key, salt_separator, rounds and mem_cost of the project',
    )
  addExample(
    addCommonFlags(command),
    'user import users.jsonl --dry-run',
    'user import users.csv --refused refused.jsonl',
  )
  command.action(async (path: string, flags: ImportFlags) => {
    const read = FORMATS[formatOf(path, flags.format)]
    const firebase = flags.firebaseParameters === undefined ? null : readFirebase(flags.firebaseParameters)
    const refusals = createRefusals(context.terminal, flags)
    const progress = createProgress(path, flags)
    const report = await withGatebook(context, flags, { create: flags.dryRun !== true }, (gate) => {
      const source = createSource(read(progress.watch(openInput(path))), firebase, refusals.add)
      return gate.users.import(
        source.users,
        {
          dryRun: flags.dryRun === true,
          onRefused: ({ row, code, detail }) => refusals.add(source.lineOf(row), code, detail),
          onProgress: progress.show,
        },
        CLI_CONTEXT,
      )
    }).finally(() => progress.end())
    await refusals.end()
    const whole = { ...report, refused: refusals.count() }
    print(context.terminal, flags, whole)
    if (whole.refused > 0) process.exitCode = 1
  })
}

function formatOf(path: string, format: string | undefined): keyof typeof FORMATS {
  const wanted = format ?? (/\.(jsonl|ndjson)$/i.test(path) ? 'jsonl' : /\.csv$/i.test(path) ? 'csv' : '')
  if (wanted === 'jsonl' || wanted === 'csv') return wanted
  throw new GatebookError('ERR_USAGE', { detail: '--format must be jsonl or csv; the name of the file does not tell.' })
}

function openInput(path: string): AsyncIterable<Uint8Array> {
  if (path === '-') return process.stdin as AsyncIterable<Uint8Array>
  try {
    if (!statSync(path).isFile()) throw new Error('it is no file')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new GatebookError('ERR_USAGE', { detail: `${path} cannot be read (${code ?? message}).` })
  }
  return createReadStream(path, { highWaterMark: 1 << 16 }) as AsyncIterable<Uint8Array>
}

/** The rows as users, and the line of each: the import counts rows, and whoever reads the file counts lines. */
function createSource(
  rows: AsyncIterable<SourceRow>,
  firebase: FirebaseParameters | null,
  refuse: (line: number, code: string, detail: string) => void,
): { readonly users: AsyncIterable<ImportedUser>; lineOf(row: number): number } {
  // Only rows of the batch that is under way are asked about.
  const lines = new Array<number>(4096).fill(0)
  async function* users(): AsyncGenerator<ImportedUser> {
    let count = 0
    for await (const { line, members, problem } of rows) {
      try {
        if (members === undefined) throw new GatebookError(problem!.code, { detail: problem!.detail })
        const user = toImportedUser(members, firebase)
        count += 1
        lines[count % lines.length] = line
        yield user
      } catch (error) {
        if (!isGatebookError(error)) throw error
        refuse(line, error.code, error.detail ?? error.message)
      }
    }
  }
  return { users: users(), lineOf: (row) => lines[row % lines.length]! }
}

function readFirebase(path: string): FirebaseParameters {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new GatebookError('ERR_USAGE', {
      detail: `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    })
  }
  try {
    const given = JSON.parse(text) as Record<string, unknown>
    const { signer_key: signerKey, salt_separator: saltSeparator = '', rounds, mem_cost: memoryCost } = given
    if (typeof signerKey === 'string' && typeof saltSeparator === 'string') {
      return { signerKey, saltSeparator, rounds: Number(rounds), memoryCost: Number(memoryCost) }
    }
  } catch {
    // The parser quotes what it read, and this is a secret of sorts.
  }
  throw new GatebookError('ERR_USAGE', {
    detail: `${path} must be a JSON object with signer_key, salt_separator, rounds and mem_cost.`,
  })
}

function createRefusals(terminal: Terminal, flags: ImportFlags) {
  const file = flags.refused === undefined ? null : createWriteStream(flags.refused, { mode: 0o600 })
  let failure: Error | null = null
  file?.on('error', (error) => {
    failure = error
  })
  let count = 0
  return {
    add(line: number, code: string, detail: string): void {
      count += 1
      file?.write(`${formatSafeJson({ line, code, detail })}\n`)
      if (count > SHOWN) return
      terminal.note(flags.json === true ? formatSafeJson({ line, code, detail }) : `line ${line}: ${detail} (${code})`)
    },
    count: () => count,
    async end(): Promise<void> {
      if (count > SHOWN && flags.json !== true) terminal.note(`… and ${count - SHOWN} more`)
      if (file === null) return
      await new Promise<void>((resolve) => file.end(() => resolve()))
      if (failure !== null) throw new GatebookError('ERR_USAGE', { detail: `${flags.refused} cannot be written.` })
    },
  }
}

/** One line that is written over, for people at a terminal. */
function createProgress(path: string, flags: ImportFlags) {
  const total = path === '-' ? null : (statSync(path, { throwIfNoEntry: false })?.size ?? null)
  const shown = process.stderr.isTTY === true && flags.json !== true
  const begun = performance.now()
  let bytes = 0
  return {
    async *watch(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of input) {
        bytes += chunk.length
        yield chunk
      }
    },
    show({ imported, present, refused }: ImportCounts): void {
      if (!shown) return
      const seconds = (performance.now() - begun) / 1000
      const part = total === null || total === 0 ? null : bytes / total
      const left = part === null || part === 0 ? '' : `, ${Math.ceil((seconds / part) * (1 - part))} s left`
      const rate = Math.round((imported + present) / Math.max(seconds, 0.001))
      const percent = part === null ? '' : `${Math.floor(part * 100)} %, `
      process.stderr.write(
        `\r\u001b[K${percent}${imported} imported, ${present} there, ${refused} refused, ${rate}/s${left}`,
      )
    },
    end(): void {
      if (shown) process.stderr.write('\r\u001b[K')
    },
  }
}

function print(terminal: Terminal, flags: ImportFlags, report: ImportReport): void {
  const { imported, present, refused, weak, formats, dryRun } = report
  if (flags.json === true) {
    terminal.json({ dry_run: dryRun, imported, present, refused, weak, formats })
    return
  }
  printFields(terminal, [
    [dryRun ? 'would be imported' : 'imported', String(imported)],
    ['there already', present === 0 ? null : String(present)],
    ['refused', String(refused)],
    ...Object.entries(formats)
      .sort(([, a], [, b]) => b - a)
      .map(([format, count]) => [`  ${format}`, String(count)] as const),
    ['weak hashes', weak === 0 ? null : `${weak}, until their users log in (docs/import.md)`],
  ])
}
