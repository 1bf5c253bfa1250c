import type { Command } from 'commander'
import type { Gatebook, Session } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import type { LogEvent } from '../../event/event.ts'
import { toWireSession, toWireSessionDetail } from '../../http/wire.ts'
import { findEndEvent } from '../../session/find-end-event.ts'
import {
  addCommonFlags,
  addExample,
  addPageFlags,
  CLI_CONTEXT,
  type CommandContext,
  type CommonFlags,
  type PageFlags,
  pageOptions,
} from '../command.ts'
import { getUserId } from '../find-user.ts'
import { type Column, printTable } from '../table.ts'
import { formatTime, printFields } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

interface SessionFlags extends CommonFlags {
  readonly applicationUser?: boolean
  readonly user?: string
}

interface ListFlags extends SessionFlags, PageFlags {
  readonly ended?: boolean
}

const APPLICATION_USER = ['--application-user', "the id is one of the application's own users"] as const

export function defineSession(group: Command, context: CommandContext): void {
  const { terminal } = context

  defineList(group, context)

  const show = group
    .command('show')
    .description('Show one session: how it began, and why, when and by whom it was ended.')
    .argument('<session>', 'session id')
  addExample(addCommonFlags(show), 'session show ses_01k9…')
  show.action(async (sessionId: string, flags: CommonFlags) => {
    const { session, endEvent } = await withGatebook(context, flags, {}, async (gate) => {
      const session = await gate.sessions.find(sessionId)
      if (session === null) throw new GatebookError('ERR_SESSION_NOT_FOUND', { detail: sessionId })
      return { session, endEvent: await findEndEvent(gate, session) }
    })
    if (flags.json === true) terminal.json(toWireSessionDetail(session, endEvent))
    else printFields(terminal, describe(session, endEvent))
  })

  const end = group.command('end').description('End one session, or all of a user.').argument('[session]', 'session id')
  end.option('--user <user>', 'end all sessions of this user: id or identifier').option(...APPLICATION_USER)
  addExample(addCommonFlags(end), 'session end ses_01k9…', 'session end --user anna@example.org')
  end.action(async (sessionId: string | undefined, flags: SessionFlags) => {
    const { user } = flags
    if ((sessionId === undefined) === (user === undefined)) {
      throw new GatebookError('ERR_USAGE', { detail: 'Either a session id or --user says what is to be ended.' })
    }
    const ended = await withGatebook(context, flags, {}, async (gate) =>
      user === undefined
        ? endOne(gate, sessionId as string)
        : gate.sessions.endAll(
            await getUserId(gate, user, flags.applicationUser === true),
            'ended-by-admin',
            CLI_CONTEXT,
          ),
    )
    if (flags.json === true) terminal.json({ ended })
    else if (user !== undefined) terminal.line(ended === 1 ? '1 session ended.' : `${ended} sessions ended.`)
    else terminal.line(ended === 1 ? 'The session has ended.' : 'The session had ended before.')
  })
}

function defineList(group: Command, context: CommandContext): void {
  const { terminal } = context
  const list = group
    .command('list')
    .description('List the live sessions of a user, or those that have ended.')
    .argument('<user>', 'id or identifier')
    .option('--ended', 'those that have ended, the last one first, with the reason')
    .option(...APPLICATION_USER)
  addExample(
    addPageFlags(addCommonFlags(list)),
    'session list anna@example.org',
    'session list anna@example.org --ended --limit 10',
  )
  list.action(async (text: string, flags: ListFlags) => {
    const { ended = false } = flags
    const page = pageOptions(flags)
    if (!ended && Object.keys(page).length > 0) {
      throw new GatebookError('ERR_USAGE', {
        detail: '--limit and --cursor go with --ended; live sessions come at once.',
      })
    }
    const { items, next } = await withGatebook(context, flags, {}, async (gate) => {
      const userId = await getUserId(gate, text, flags.applicationUser === true)
      return ended ? gate.sessions.listEnded(userId, page) : { items: await gate.sessions.list(userId), next: null }
    })
    if (flags.json === true) for (const session of items) terminal.json(toWireSession(session))
    else if (items.length === 0) terminal.note(`${text} has no ${ended ? 'ended' : 'live'} sessions.`)
    else printTable(terminal, ended ? ENDED_COLUMNS : COLUMNS, items)
    terminal.next(next, flags.json === true)
  })
}

/** To end what has ended is no failure; to end what never was is. */
async function endOne(gate: Gatebook, sessionId: string): Promise<number> {
  if (await gate.sessions.end(sessionId, 'ended-by-admin', CLI_CONTEXT)) return 1
  if ((await gate.sessions.find(sessionId)) === null)
    throw new GatebookError('ERR_SESSION_NOT_FOUND', { detail: sessionId })
  return 0
}

const COLUMNS: readonly Column<Session>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'STARTED', value: ({ createdAt }) => formatTime(createdAt), usual: 26, drop: 3 },
  { title: 'LAST USED', value: ({ lastUsedAt }) => formatTime(lastUsedAt), usual: 26, drop: 2 },
  { title: 'IP', value: ({ ip }) => ip ?? '', usual: 15 },
  { title: 'USER AGENT', value: ({ userAgent }) => userAgent ?? '', usual: 40, least: 10, drop: 1 },
]

const ENDED_COLUMNS: readonly Column<Session>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'ENDED', value: ({ endedAt }) => (endedAt === null ? '' : formatTime(endedAt)), usual: 26 },
  { title: 'REASON', value: ({ endReason }) => endReason ?? '', usual: 20 },
  { title: 'STARTED', value: ({ createdAt }) => formatTime(createdAt), usual: 26, drop: 2 },
  { title: 'IP', value: ({ ip }) => ip ?? '', usual: 15, drop: 3 },
  { title: 'USER AGENT', value: ({ userAgent }) => userAgent ?? '', usual: 40, least: 10, drop: 1 },
]

function describe(session: Session, endEvent: LogEvent | null): readonly (readonly [string, string | null])[] {
  return [
    ['id', session.id],
    ['user', session.userId],
    ['method', session.method],
    ['started', formatTime(session.createdAt)],
    ['last used', formatTime(session.lastUsedAt)],
    ['ip', session.ip],
    ['user agent', session.userAgent],
    ['device', session.deviceId],
    ...(session.endedAt === null ? [['expires', formatTime(session.expiresAt)] as const] : []),
    ['ended', session.endedAt === null ? null : formatTime(session.endedAt)],
    ['reason', session.endReason],
    ...(endEvent === null ? [] : describeEnd(endEvent)),
  ]
}

function describeEnd({ id, actor, ip, ipSource, userAgent }: LogEvent): readonly (readonly [string, string | null])[] {
  return [
    ['ended by', actor.id === null ? actor.kind : `${actor.kind} ${actor.id}`],
    ['ended from', ip === null ? null : `${ip} (from ${ipSource ?? 'unknown'})`],
    ['ended with', userAgent],
    ['event', id],
  ]
}
