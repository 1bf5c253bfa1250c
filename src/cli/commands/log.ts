import type { Command } from 'commander'
import type { EventFilter, Gatebook } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import type { LogEvent } from '../../event/event.ts'
import { toWireEvent } from '../../http/wire.ts'
import {
  addCommonFlags,
  addExample,
  addPageFlags,
  CLI_CONTEXT,
  type CommandContext,
  type CommonFlags,
  type PageFlags,
  pageOptions,
  parseCount,
} from '../command.ts'
import { describeEvent, EVENT_COLUMNS } from '../event-columns.ts'
import { formatCsv } from '../event-csv.ts'
import { FILTER_FLAGS, type FilterFlags, TIME_FLAGS } from '../event-filter.ts'
import { findUserId } from '../find-user.ts'
import { addQueryArgument, readQueryArguments, resolveUsers } from '../query-arguments.ts'
import { printRows, printTable } from '../table.ts'
import { printFields } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'
import { defineLogAudit } from './log-audit.ts'
import { defineForgetting } from './log-forget.ts'
import { defineLogKey } from './log-key.ts'
import { defineLogProofs } from './log-proofs.ts'
import { defineLogVerify } from './log-verify.ts'

interface TailFlags extends CommonFlags, FilterFlags {
  readonly lines: number
  readonly follow?: boolean
}

interface SearchFlags extends CommonFlags, FilterFlags, PageFlags {
  readonly csv?: boolean
}

export function defineLog(group: Command, context: CommandContext): void {
  const { terminal } = context
  defineLogKey(group, context)

  const tail = group.command('tail').description('Print the latest events, oldest first. Leaves no event.')
  tail
    .option('-n, --lines <count>', 'how many (default 20)', parseCount('--lines', 0, 500), 20)
    .option('-f, --follow', 'go on with the events as they happen, until Ctrl-C')
  addExample(
    addCommonFlags(addFilterFlags(addQueryArgument(tail), FILTER_FLAGS)),
    'log tail -f',
    'log tail -f outcome:failure ip:203.0.113.0/24 -reason:throttled',
  )
  tail.action(async (query: readonly string[], flags: TailFlags) => {
    const filter = readQueryArguments(query, flags, Date.now())
    const printRow = printRows(terminal, EVENT_COLUMNS)
    const print = (event: LogEvent): void => (flags.json === true ? terminal.json(toWireEvent(event)) : printRow(event))
    await withGatebook(context, flags, {}, async (gate) => {
      const resolved = await resolveUsers(filter, (user) => findUserId(gate, user))
      if (flags.follow === true) await follow(gate, resolved, flags.lines, print)
      else if (flags.lines > 0) {
        for (const event of (await gate.log.search(resolved, { limit: flags.lines })).items.toReversed()) print(event)
      }
    })
  })

  const search = group.command('search').description('Search the log, newest first. Leaves the event log.read.')
  addFilterFlags(addQueryArgument(search), [...FILTER_FLAGS, ...TIME_FLAGS])
    .option('--from <time>')
    .option('--to <time>')
    .option('--csv', 'print CSV for a spreadsheet; with --cursor, without the line of titles')
  addExample(
    addPageFlags(addCommonFlags(search)),
    'log search outcome:failure,denied -reason:throttled since:24h',
    'log search --since 24h --type login.failed',
    'log search --user anna@example.org --json',
  )
  search.action(async (query: readonly string[], flags: SearchFlags) => {
    if (flags.json === true && flags.csv === true)
      throw new GatebookError('ERR_USAGE', { detail: '--json or --csv, not both.' })
    const filter = readQueryArguments(query, flags, Date.now())
    const page = await withGatebook(context, flags, {}, async (gate) => {
      const resolved = await resolveUsers(filter, (user) => findUserId(gate, user))
      return gate.log.read(resolved, pageOptions(flags), CLI_CONTEXT)
    })
    if (flags.json === true) for (const event of page.items) terminal.json(toWireEvent(event))
    else if (flags.csv === true) terminal.csv(formatCsv(page.items, flags.cursor === undefined))
    else if (page.items.length === 0) terminal.note('No event matches.')
    else printTable(terminal, EVENT_COLUMNS, page.items)
    terminal.next(page.next, flags.json === true)
  })

  const show = group
    .command('show')
    .description('Show one event with all that is known.')
    .argument('<event>', 'event id')
  addExample(addCommonFlags(show), 'log show evt_01k9…')
  show.action(async (eventId: string, flags: CommonFlags) => {
    const event = await withGatebook(context, flags, {}, (gate) => gate.log.find(eventId))
    if (event === null) throw new GatebookError('ERR_EVENT_NOT_FOUND', { detail: eventId })
    if (flags.json === true) terminal.json(toWireEvent(event))
    else printFields(terminal, describeEvent(event))
  })

  defineForgetting(group, context)
  defineLogProofs(group, context)
  defineLogVerify(group, context)
  defineLogAudit(group, context)
}

function addFilterFlags(command: Command, rows: readonly (readonly [string, string])[]): Command {
  for (const [flag, about] of rows) command.option(flag, about)
  return command
}

/** Until a signal, which is how a person ends it: not a failure. */
async function follow(
  gate: Gatebook,
  filter: EventFilter,
  last: number,
  print: (event: LogEvent) => void,
): Promise<void> {
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort())
  for await (const event of gate.log.tail({ last, filter, signal: ending.signal })) print(event)
}
