import type { Command } from 'commander'
import type { Gatebook, Session } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { toWireSession } from '../../http/wire.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { getUserId } from '../find-user.ts'
import { type Column, printTable } from '../table.ts'
import { formatTime } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

interface SessionFlags extends CommonFlags {
  readonly applicationUser?: boolean
  readonly user?: string
}

const APPLICATION_USER = ['--application-user', "the id is one of the application's own users"] as const

export function defineSession(group: Command, context: CommandContext): void {
  const { terminal } = context

  const list = group
    .command('list')
    .description('List the live sessions of a user.')
    .argument('<user>', 'id or identifier')
  addExample(addCommonFlags(list.option(...APPLICATION_USER)), 'session list anna@example.org')
  list.action(async (text: string, flags: SessionFlags) => {
    const sessions = await withGatebook(context, flags, {}, async (gate) =>
      gate.sessions.list(await getUserId(gate, text, flags.applicationUser === true)),
    )
    if (flags.json === true) for (const session of sessions) terminal.json(toWireSession(session))
    else if (sessions.length === 0) terminal.note(`${text} has no live sessions.`)
    else printTable(terminal, COLUMNS, sessions)
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
