import { readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { GatebookError } from '../../errors.ts'
import { decodeNote, parseVerifierKeys, splitOrigin } from '../../log/exported/epoch-keys.ts'
import { readNoteFile } from '../../log/note-file.ts'
import type { VerifierKey } from '../../proof/note-key.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { escapeUnsafe } from '../../server/escape-unsafe.ts'
import { decodeUtf8 } from '../../util/bytes.ts'
import { addExample, type CommandContext } from '../command.ts'
import type { Finding } from '../exported-log/findings.ts'
import { isMissing, openLogDirectory, unusable } from '../exported-log/log-directory.ts'
import { type DirectoryReport, type KeptNote, verifyDirectory } from '../exported-log/verify-directory.ts'
import { type ReceiptReport, verifyReceiptFile } from '../exported-log/verify-receipt.ts'
import { createProgress } from '../progress.ts'
import { formatTime, type Terminal } from '../terminal.ts'

interface VerifyFlags {
  readonly key?: string
  readonly checkpoint?: readonly string[]
  readonly entry?: string
  readonly json?: boolean
}

/** The keys, and whether they came from the folder that is checked with them. */
interface Keys {
  readonly keys: readonly VerifierKey[]
  readonly own: boolean
  readonly findings: readonly Finding[]
}

/** Needs no database, no secret and no settings. */
export function defineLogVerify(group: Command, context: CommandContext): void {
  const verify = group
    .command('verify')
    .description('Check an exported folder or a receipt, offline: nothing is needed but the public key of the log.')
    .argument('<path>', 'folder of log export --tiles, or file of log prove')
    .option('--key <vkey>', 'the key (NAME+ID+KEY), or a file with it; for a folder, by default the one in it')
    .option(
      '--checkpoint <file>',
      'a checkpoint from elsewhere, such as from an anchor, that the log has to reproduce; may be repeated',
      (file, before: readonly string[] = []) => [...before, file],
    )
    .option('--entry <file>', 'the bytes of the entry, for a receipt in the form tlog-proof')
    .option('--json', 'print JSON')
  addExample(
    verify,
    'log verify /mnt/audit/log --key app.example/log+1f2e3d4c+AS… --checkpoint anchor.log',
    'log verify receipt.json --key vkey',
  )
  verify.action((path: string, flags: VerifyFlags) => run(context, path, flags))
}

async function run({ terminal }: CommandContext, path: string, flags: VerifyFlags): Promise<void> {
  const isFolder = (await stat(path).catch((error: unknown) => refuseFile(path, error))).isDirectory()
  const notes = (await Promise.all((flags.checkpoint ?? []).map(readNotes))).flat()
  if (isFolder) {
    if (flags.entry !== undefined) throw wrongUse('--entry belongs to a receipt, not to a folder.')
    const directory = openLogDirectory(path)
    const { keys, own, findings } = await readFolderKeys(await directory.read('vkey'), flags.key)
    let progress: ReturnType<typeof createProgress> | null = null
    const onProgress = (done: number, total: number): void => {
      progress ??= createProgress(total, 'entries', flags.json === true)
      progress.show(done)
    }
    const report = await verifyDirectory(directory, { keys, notes, onProgress }).finally(() => progress?.end())
    const all = { ...report, findings: [...findings, ...report.findings] }
    if (flags.json === true) terminal.json(toWireDirectory(all, own))
    else printDirectory(terminal, all, keys, own)
    if (all.findings.length > 0) process.exitCode = 1
    return
  }
  if (flags.key === undefined) {
    throw wrongUse('A receipt needs --key: the public key of the log, from somebody whom you believe.')
  }
  const entry = flags.entry === undefined ? null : await readInput(flags.entry)
  const text = decodeInput(await readInput(path), path)
  if (entry === null && text.startsWith('c2sp.org/tlog-proof')) {
    throw wrongUse('A receipt in this form needs --entry: the bytes of the entry that it is about.')
  }
  const report = verifyReceiptFile(text, { keys: await readGivenKeys(flags.key), notes, entry })
  if (flags.json === true) terminal.json(toWireReceiptReport(report))
  else printReceipt(terminal, report)
  if (report.findings.length > 0) process.exitCode = 1
}

async function readFolderKeys(vkey: Uint8Array | null, given: string | undefined): Promise<Keys> {
  const found = (where: string, says: string): Finding => ({ where, says, code: null })
  const findings: Finding[] = []
  let own: readonly VerifierKey[] = []
  try {
    if (vkey === null) findings.push(found('vkey', 'is missing'))
    else own = parseVerifierKeys(decodeNote(vkey))
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    findings.push({ where: 'vkey', says: error.message, code: error.code })
  }
  if (given === undefined) return { keys: own, own: true, findings }
  const keys = await readGivenKeys(given)
  const isGiven = (key: VerifierKey): boolean =>
    keys.some(
      ({ name, publicKey }) =>
        splitOrigin(name).name === splitOrigin(key.name).name && Buffer.compare(publicKey, key.publicKey) === 0,
    )
  if (own.length > 0 && !own.some(isGiven)) findings.push(found('vkey', 'is not the key that was given'))
  return { keys, own: false, findings }
}

async function readGivenKeys(given: string): Promise<readonly VerifierKey[]> {
  try {
    return parseVerifierKeys(given.includes('+') ? given : decodeInput(await readInput(given), given))
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw wrongUse(`--key: ${error.message}`)
  }
}

async function readNotes(path: string): Promise<readonly KeptNote[]> {
  const notes: KeptNote[] = []
  for await (const { note, line } of readNoteFile(path)) notes.push({ note, name: `${basename(path)}:${line}` })
  return notes
}

async function readInput(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => refuseFile(path, error))
}

function decodeInput(bytes: Uint8Array, path: string): string {
  try {
    return decodeUtf8(bytes)
  } catch {
    throw wrongUse(`${path} is not a text in UTF-8.`)
  }
}

function refuseFile(path: string, error: unknown): never {
  if (isMissing(error)) throw new GatebookError('ERR_FILE', { detail: `There is no ${path}.` })
  throw unusable(path, error)
}

function wrongUse(detail: string): GatebookError {
  return new GatebookError('ERR_USAGE', { detail })
}

function printDirectory(terminal: Terminal, report: DirectoryReport, keys: readonly VerifierKey[], own: boolean): void {
  const { origin, size, first, rootHash, entries, tiles, checkpoints } = report
  const ok = (what: string, text: string): void => printLine(terminal, 'ok', what, text)
  if (origin !== null) {
    const names = [...new Set(keys.map(({ keyId }) => keyId.toString(16).padStart(8, '0')))].join(', ')
    ok('checkpoint', `${origin}, ${size} entries, signed by ${names}`)
    ok('entries', `${entries} hashed${first === 0 ? '' : `, from ${first} on; those before were pruned`}`)
    ok('tiles', `${tiles} compared`)
    if (checkpoints > 0) ok('older', `${checkpoints} checkpoints reproduced`)
  }
  for (const { where, says } of report.lost) printLine(terminal, 'note', where, says)
  printFindings(terminal, report)
  if (own)
    terminal.note(
      'The key is the one in the folder: that shows that its files belong together, not whose log it is. Give --key.',
    )
  if (report.findings.length > 0)
    terminal.line(`${report.findings.length + report.more} findings: this is not the log that was signed.`)
  else terminal.line(`The log is what was signed: ${size} entries, root ${rootHash}.`)
}

function printReceipt(terminal: Terminal, report: ReceiptReport): void {
  const { leaf, index, size, origin, opening } = report
  if (leaf !== null) {
    printLine(terminal, 'event', leaf.id, `${leaf.type} ${leaf.outcome}, ${formatTime(leaf.at)}`)
    for (const kind of ['id', 'net'] as const) {
      const fields = opening[kind]?.fields
      printLine(terminal, 'opening', kind, fields === undefined ? 'not in the receipt' : JSON.stringify(fields))
    }
  }
  printFindings(terminal, report)
  if (report.findings.length > 0) {
    terminal.line(`${report.findings.length + report.more} findings: this receipt proves nothing.`)
  } else terminal.line(`The receipt is right: entry ${index} of the ${size} that ${origin} has signed.`)
}

function printFindings(terminal: Terminal, { findings, more }: Pick<DirectoryReport, 'findings' | 'more'>): void {
  for (const { where, says } of findings) printLine(terminal, 'FINDING', where, says)
  if (more > 0) terminal.line(`and ${more} more`)
}

function printLine(terminal: Terminal, mark: string, what: string, text: string): void {
  const colour = mark === 'FINDING' ? 'red' : mark === 'ok' ? 'green' : 'dim'
  terminal.line(`${terminal.paint(colour, mark.padEnd(7))}  ${escapeUnsafe(what)}  ${escapeUnsafe(text)}`)
}

function toWireFindings({ findings, more }: Pick<DirectoryReport, 'findings' | 'more'>): object {
  return { verified: findings.length === 0, findings, more_findings: more }
}

function toWireDirectory(report: DirectoryReport, own: boolean): object {
  const { origin, size, first, rootHash, entries, tiles, checkpoints, lost } = report
  return {
    origin,
    size,
    first,
    root_hash: rootHash,
    entries,
    tiles,
    checkpoints,
    lost,
    key_from: own ? 'folder' : 'given',
    ...toWireFindings(report),
  }
}

function toWireReceiptReport(report: ReceiptReport): object {
  const { origin, index, size, rootHash, leaf, opening } = report
  return { origin, index, size, root_hash: rootHash, event_id: leaf?.id ?? null, opening, ...toWireFindings(report) }
}
