import type { Command } from 'commander'
import type { AnchorHead, LogCheckpoint, LogHead } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { exportTiles } from '../../log/exported/export-tiles.ts'
import { toWireReceipt } from '../../log/receipt.ts'
import { formatSafeJson } from '../../server/escape-unsafe.ts'
import { encodeUtf8 } from '../../util/bytes.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { openLogDirectory, writeWhole } from '../exported-log/log-directory.ts'
import { createProgress } from '../progress.ts'
import { formatTime, printFields } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

interface ProveFlags extends CommonFlags {
  readonly out?: string
  readonly format: string
}

interface ExportFlags extends CommonFlags {
  readonly tiles?: string
}

/** What needs the database: taking proofs out of the log. Checking them does not: `log-verify.ts`. */
export function defineLogProofs(group: Command, context: CommandContext): void {
  const { terminal } = context

  const prove = group
    .command('prove')
    .description('Take a receipt: that an event stands in the log, for others to check offline. Leaves log.exported.')
    .argument('<event>', 'event id')
    .option('--out <file>', 'write it to this file instead of the standard output')
    .option('--format <format>', 'json, with the entry and what it commits to, or tlog-proof (C2SP)', 'json')
  addExample(addCommonFlags(prove), 'log prove evt_01k9… --out receipt.json', 'log verify receipt.json --key vkey')
  prove.action(async (eventId: string, flags: ProveFlags) => {
    if (flags.format !== 'json' && flags.format !== 'tlog-proof') {
      throw new GatebookError('ERR_USAGE', { detail: '--format must be json or tlog-proof.' })
    }
    const receipt = await withGatebook(context, flags, {}, (gate) => gate.log.prove(eventId, CLI_CONTEXT))
    const text = flags.format === 'json' ? `${formatSafeJson(toWireReceipt(receipt))}\n` : receipt.proof
    if (flags.out === undefined) {
      terminal.line(text.slice(0, -1))
      return
    }
    await writeWhole(flags.out, encodeUtf8(text))
    const { index, size } = receipt
    if (flags.json === true) terminal.json({ file: flags.out, event_id: eventId, index, size })
    else
      terminal.line(
        `Entry ${index} of ${size} is proved in ${flags.out}. Check it: gatebook log verify ${flags.out} --key VKEY`,
      )
  })

  const checkpoint = group
    .command('checkpoint')
    .description('How far the log is signed and published, and the key to check it with. Leaves no event.')
  addExample(addCommonFlags(checkpoint), 'log checkpoint')
  checkpoint.action(async (flags: CommonFlags) => {
    const head = await withGatebook(context, flags, {}, (gate) => gate.log.checkpoint())
    if (flags.json === true) terminal.json(toWireHead(head))
    else printFields(terminal, describeHead(head, Date.now()))
  })

  const toFolder = group
    .command('export')
    .description(
      'Write the log up to its newest published checkpoint into a folder (C2SP tlog-tiles), or add what is new. Leaves log.exported.',
    )
    .option('--tiles <folder>', 'the folder; it may be served as it is')
  addExample(addCommonFlags(toFolder), 'log export --tiles /mnt/audit/log', 'log verify /mnt/audit/log --key vkey')
  toFolder.action(async (flags: ExportFlags) => {
    const folder = flags.tiles
    if (folder === undefined) throw new GatebookError('ERR_USAGE', { detail: '--tiles must name the folder.' })
    let progress: ReturnType<typeof createProgress> | null = null
    const report = await withGatebook(context, flags, {}, (gate) =>
      exportTiles(gate.log, openLogDirectory(folder), {
        context: CLI_CONTEXT,
        onProgress(done, total) {
          progress ??= createProgress(total, 'entries', flags.json === true)
          progress.show(done)
        },
      }),
    ).finally(() => progress?.end())
    const { origin, size, from, first, checkpoints } = report
    if (flags.json === true) terminal.json({ folder, origin, size, first, from, checkpoints })
    else if (from === size) terminal.line(`${folder} has all ${size} entries of ${origin} already.`)
    else terminal.line(`${folder} has the entries ${first} to ${size - 1} of ${origin}; written from ${from} on.`)
  })
}

function toWireCheckpoint(checkpoint: LogCheckpoint | null): object | null {
  if (checkpoint === null) return null
  const { origin, epoch, size, rootHash, signedAt, publishedAt, note } = checkpoint
  return { origin, epoch, size, root_hash: rootHash, signed_at: signedAt, published_at: publishedAt, note }
}

function toWireHead({ size, pruned, signed, published, verifierKeys, anchors }: LogHead): object {
  return {
    size,
    pruned,
    signed: toWireCheckpoint(signed),
    published: toWireCheckpoint(published),
    verifier_keys: verifierKeys,
    anchors: anchors.map(({ name, epoch, size, anchoredAt, failedAt, failure }) => {
      return { name, epoch, size, anchored_at: anchoredAt, failed_at: failedAt, failure }
    }),
  }
}

function describeHead(
  { size, pruned, signed, published, verifierKeys, anchors }: LogHead,
  now: number,
): readonly (readonly [string, string | null])[] {
  const describe = (checkpoint: LogCheckpoint | null): string => {
    if (checkpoint === null) return 'nothing yet'
    const at = checkpoint.publishedAt ?? checkpoint.signedAt
    const left = size - checkpoint.size
    return `${checkpoint.size} entries, ${formatTime(at)} (${formatAge(now - at)} ago)${left === 0 ? '' : `; ${left} not covered`}`
  }
  return [
    ['log', signed?.origin ?? null],
    ['entries', `${size}${pruned === 0 ? '' : `, of which ${pruned} were pruned`}`],
    ['signed', describe(signed)],
    ['published', describe(published)],
    ['root', published?.rootHash ?? null],
    ...anchors.map((anchor) => ['anchor', describeAnchor(anchor, now)] as const),
    ...verifierKeys.map((vkey) => ['key', vkey] as const),
  ]
}

function describeAnchor({ name, size, anchoredAt, failedAt, failure }: AnchorHead, now: number): string {
  const has =
    anchoredAt === null
      ? `${name} has nothing`
      : `${name} has ${size} entries, since ${formatTime(anchoredAt)} (${formatAge(now - anchoredAt)} ago)`
  return failedAt === null ? has : `${has}; failed ${formatAge(now - failedAt)} ago: ${failure}`
}

function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`
}
