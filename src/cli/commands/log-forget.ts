import type { Command } from 'commander'
import type {
  ErasurePreview,
  ErasureReport,
  ErasureTarget,
  ExpiredCount,
  Hold,
  HoldInput,
  PruningLimit,
  PruningReport,
} from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { toWireErasurePreview, toWireErasureReport, toWireHold } from '../../http/wire.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { parseTime } from '../parse-time.ts'
import { type Column, printTable } from '../table.ts'
import { formatTime, printFields } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

interface TargetFlags extends CommonFlags {
  readonly user?: string
  readonly identifier?: string
  readonly reference?: string
}

interface EraseFlags extends TargetFlags {
  readonly yes?: boolean
}

interface PruneFlags extends CommonFlags {
  readonly before?: string
  readonly yes?: boolean
}

interface HoldFlags extends TargetFlags {
  readonly from?: string
  readonly until?: string
  readonly everything?: boolean
  readonly reason: string
}

/** `log expire`, `log prune`, `log erase` and `log hold`. */
export function defineForgetting(group: Command, context: CommandContext): void {
  const { terminal } = context

  const expire = group
    .command('expire')
    .description('Forget at once what is older than the server keeps it; see docs/retention.md.')
    .option('--dry-run', 'only count')
  addExample(addCommonFlags(expire), 'log expire --dry-run')
  expire.action(async (flags: CommonFlags & { readonly dryRun?: boolean }) => {
    const dryRun = flags.dryRun === true
    const { items } = await withGatebook(context, flags, {}, (gate) => gate.log.expire({ dryRun }, CLI_CONTEXT))
    if (flags.json === true) for (const item of items) terminal.json({ ...item, dry_run: dryRun })
    else if (items.length === 0) terminal.line('Nothing is older than it is kept.')
    else {
      printTable(terminal, EXPIRED_COLUMNS, items)
      if (dryRun) terminal.note('Nothing has changed.')
    }
  })

  const prune = group
    .command('prune')
    .description('Delete the beginning of the log that is older than anything is kept. Without --yes, only show what.')
    .option('--before <time>', 'nothing younger: 1500d, 2026-03-01')
    .option('--yes', 'do it')
  addExample(addCommonFlags(prune), 'log prune', 'log prune --before 2026-03-01 --yes')
  prune.action(async (flags: PruneFlags) => {
    const before = flags.before === undefined ? {} : { before: parseTime(flags.before, '--before', Date.now()) }
    const dryRun = flags.yes !== true
    const report = await withGatebook(context, flags, {}, (gate) => gate.log.prune({ ...before, dryRun }, CLI_CONTEXT))
    if (flags.json === true) terminal.json(toWirePruning(report))
    else printFields(terminal, describePruning(report))
    if (report.first === report.from) terminal.note('Nothing is to be deleted.')
    else if (dryRun) terminal.note('Nothing has changed. Repeat with --yes to delete it; that cannot be taken back.')
    else terminal.note('Deleted. Backups and exports that were made before still have it.')
  })

  const erase = group
    .command('erase')
    .description(
      'Erase the personal data of a user, who is deleted, or of an identifier. Without --yes, only show what.',
    )
    .option('--user <id>', 'id of a user, also of the application’s own')
    .option('--identifier <text>', 'what was typed; where it belongs to a user, this user')
    .option('--reference <text>', 'of the request; stands in the log for good, so never a name or an address')
    .option('--yes', 'do it')
  addExample(addCommonFlags(erase), 'log erase --user usr_01k9…', 'log erase --user usr_01k9… --reference DSR-17 --yes')
  erase.action(async (flags: EraseFlags) => {
    const target = targetOf(flags)
    const { reference } = flags
    await withGatebook(context, flags, {}, async (gate) => {
      if (flags.yes !== true) {
        const preview = await gate.log.previewErasure(target)
        if (flags.json === true) terminal.json(toWireErasurePreview(preview))
        else printFields(terminal, [...describeCounts(preview), ...describePreview(preview)])
        terminal.note('Nothing has changed. Repeat with --yes to erase it; that cannot be taken back.')
        return
      }
      const report = await gate.log.erase(target, reference === undefined ? {} : { reference }, CLI_CONTEXT)
      if (flags.json === true) terminal.json(toWireErasureReport(report))
      else printFields(terminal, describeCounts(report))
      terminal.note('Erased. Backups that were made before still hold it.')
    })
  })

  const hold = group.command('hold').description('Legal holds: what neither expires nor is erased.')
  const add = hold
    .command('add')
    .description('Hold what matches every condition.')
    .option('--user <id>', 'about this user, or done by them')
    .option('--identifier <text>', 'under this identifier')
    .option('--from <time>', 'from this time on: 7d, 2026-03-01, 2026-03-01T08:00+01:00')
    .option('--until <time>', 'before this time')
    .option('--everything', 'without any condition')
    .requiredOption('--reason <text>', 'for people; deleted when the hold is released')
    .option('--reference <text>', 'of the case; stands in the log for good, so never a name or an address')
  addExample(addCommonFlags(add), "log hold add --user usr_01k9… --reason 'court order of 3 March' --reference CASE-4")
  add.action(async (flags: HoldFlags) => {
    const input = holdOf(flags, Date.now())
    const added = await withGatebook(context, flags, {}, (gate) => gate.log.holds.add(input, CLI_CONTEXT))
    if (flags.json === true) terminal.json(toWireHold(added))
    else terminal.line(`${added.id} is in force.`)
  })

  const list = hold.command('list').description('List the holds that are in force.')
  addExample(addCommonFlags(list), 'log hold list')
  list.action(async (flags: CommonFlags) => {
    const holds = await withGatebook(context, flags, {}, (gate) => gate.log.holds.list())
    if (flags.json === true) for (const each of holds) terminal.json(toWireHold(each))
    else if (holds.length === 0) terminal.note('There is no hold.')
    else printTable(terminal, HOLD_COLUMNS, holds)
  })

  const release = hold.command('release').description('End a hold.').argument('<hold>', 'its id')
  addExample(addCommonFlags(release), 'log hold release hld_01k9…')
  release.action(async (holdId: string, flags: CommonFlags) => {
    await withGatebook(context, flags, {}, (gate) => gate.log.holds.release(holdId, CLI_CONTEXT))
    if (flags.json === true) terminal.json({ released: holdId })
    else terminal.line(`${holdId} is released.`)
  })
}

function targetOf({ user, identifier }: TargetFlags): ErasureTarget {
  if (user !== undefined && identifier === undefined) return { userId: user }
  if (identifier !== undefined && user === undefined) return { identifier }
  throw new GatebookError('ERR_USAGE', { detail: 'Give one of --user and --identifier.' })
}

/** A hold on everything has to be meant. */
function holdOf(flags: HoldFlags, now: number): HoldInput {
  const { user, identifier, from, until, reason, reference } = flags
  const conditions = {
    ...(user !== undefined && { userId: user }),
    ...(identifier !== undefined && { identifier }),
    ...(from !== undefined && { from: parseTime(from, '--from', now) }),
    ...(until !== undefined && { to: parseTime(until, '--until', now) }),
  }
  if ((Object.keys(conditions).length === 0) !== (flags.everything === true)) {
    throw new GatebookError('ERR_USAGE', {
      detail: 'Say what is held: --user, --identifier, --from or --until; or --everything, and none of these.',
    })
  }
  return { ...conditions, reason, ...(reference !== undefined && { reference }) }
}

const LIMITS: Readonly<Record<PruningLimit, string>> = {
  retention: 'is younger than the longest retention period',
  hold: 'is held',
  checkpoint: 'is under no published checkpoint',
  anchor: 'is under no checkpoint that an anchor has',
  epoch: 'is needed to tell what was lost with a restored backup',
}

function describePruning(report: PruningReport): readonly (readonly [string, string | null])[] {
  const { from, first, lasting, before, limit, hold } = report
  return [
    ['entries', first === from ? '0' : `${first - from}, from ${from} to ${first - 1}`],
    ['older than', before === null ? null : formatTime(before)],
    ['lasting events', lasting === 0 ? null : `${lasting}, which rows that live on are compared with no more`],
    ['what comes then', hold === null ? LIMITS[limit] : `${LIMITS[limit]} by ${hold}`],
  ]
}

function describeCounts(counts: ErasureReport): readonly (readonly [string, string | null])[] {
  return [
    ['user', counts.userId],
    ['events', String(counts.events)],
    ['with an address', String(counts.networks)],
    ['sessions', String(counts.sessions)],
    ['devices', String(counts.devices)],
    ['one-time tokens', String(counts.tokens)],
    ['counters', String(counts.counters)],
  ]
}

function describePreview({ actsOnOthers, holds }: ErasurePreview): readonly (readonly [string, string | null])[] {
  return [
    ['acts on others', actsOnOthers === 0 ? null : `${actsOnOthers}, which stay`],
    ['forbidden by', holds.length === 0 ? null : holds.join(', ')],
  ]
}

function toWirePruning({ dryRun, ...report }: PruningReport): object {
  return { ...report, dry_run: dryRun }
}

const CLASSES: Readonly<Record<ExpiredCount['class'], string>> = {
  net: 'network data',
  event: 'whole events',
  session: 'ended sessions',
}

const EXPIRED_COLUMNS: readonly Column<ExpiredCount>[] = [
  { title: 'WHAT', value: (item) => CLASSES[item.class], usual: 14 },
  { title: 'OF', value: ({ actors }) => actors, usual: 6 },
  { title: 'VOLUME', value: ({ volume }) => volume ?? '', usual: 6 },
  { title: 'OLDER THAN', value: ({ before }) => formatTime(before), usual: 26 },
  { title: 'COUNT', value: ({ count }) => String(count), usual: 8 },
]

const HOLD_COLUMNS: readonly Column<Hold>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'WHAT', value: describeHold, usual: 30, least: 12 },
  { title: 'REASON', value: ({ reason }) => reason, usual: 30, least: 8 },
  { title: 'REFERENCE', value: ({ reference }) => reference ?? '', usual: 12, drop: 1 },
  { title: 'SINCE', value: ({ createdAt }) => formatTime(createdAt), usual: 26, drop: 2 },
  { title: 'BY', value: ({ createdBy }) => createdBy, usual: 10, drop: 3 },
]

function describeHold({ userId, identifier, from, to }: Hold): string {
  const parts = [
    userId,
    identifier,
    from === null ? null : `from ${formatTime(from)}`,
    to === null ? null : `until ${formatTime(to)}`,
  ].filter((part) => part !== null)
  return parts.length === 0 ? 'everything' : parts.join(' ')
}
