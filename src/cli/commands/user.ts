import type { Command } from 'commander'
import type { User } from '../../api.ts'
import { toWireUser } from '../../http/wire.ts'
import { escapeUnsafe } from '../../server/escape-unsafe.ts'
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
import { getUser, getUserId } from '../find-user.ts'
import { promptPassword, readPasswordFrom } from '../password-prompt.ts'
import { type Column, printTable } from '../table.ts'
import { formatTime, printFields, type Terminal } from '../terminal.ts'
import { linkTo, withGatebook } from '../with-gatebook.ts'
import { defineUserImport } from './user-import.ts'

interface PasswordFlags extends CommonFlags {
  readonly passwordStdin?: boolean
}

interface AddFlags extends PasswordFlags {
  readonly admin?: boolean
  readonly role?: readonly string[]
}

interface TargetFlags extends CommonFlags {
  readonly applicationUser?: boolean
}

const APPLICATION_USER = [
  '--application-user',
  "the id is one of the application's own users, who may be unknown here so far",
] as const
const PASSWORD_STDIN = [
  '--password-stdin',
  'read the password from the standard input instead of asking for it',
] as const

export function defineUser(group: Command, context: CommandContext): void {
  const { terminal } = context

  const add = group.command('add').description('Add a user; asks for the password twice.').argument('<identifier>')
  add
    .option('--admin', 'give the role admin')
    .option('--role <role>', 'give a role; may be repeated', (role, before: readonly string[] = []) => [
      ...before,
      role,
    ])
    .option(...PASSWORD_STDIN)
  addExample(addCommonFlags(add), 'user add --admin you@example.org')
  add.action(async (identifier: string, flags: AddFlags) => {
    const password = await readPassword(flags)
    const roles = [...new Set([...(flags.admin === true ? ['admin'] : []), ...(flags.role ?? [])])]
    const user = await withGatebook(context, flags, { create: true }, (gate) =>
      gate.users.create({ identifier, password, roles }, CLI_CONTEXT),
    )
    const as = user.roles.length === 0 ? '' : ` with the role ${user.roles.join(', ')}`
    report(terminal, flags, toWireUser(user), `Added ${user.identifier ?? identifier} as ${user.id}${as}.`)
  })

  const list = group
    .command('list')
    .description('List users, newest first, or those whose identifiers begin like something.')
    .option('--starts-with <text>', 'whose identifiers begin like this, in their order')
  addExample(addPageFlags(addCommonFlags(list)), 'user list --limit 20', 'user list --starts-with anna')
  list.action(async (flags: CommonFlags & PageFlags & { readonly startsWith?: string }) => {
    const { startsWith } = flags
    const page = await withGatebook(context, flags, {}, (gate) =>
      startsWith === undefined
        ? gate.users.list(pageOptions(flags))
        : gate.users.search(startsWith, pageOptions(flags)),
    )
    if (flags.json === true) for (const user of page.items) terminal.json(toWireUser(user))
    else if (page.items.length === 0) terminal.note('There are no users.')
    else printTable(terminal, COLUMNS, page.items)
    terminal.next(page.next, flags.json === true)
  })

  const show = group.command('show').description('Show a user.').argument('<user>', 'id or identifier')
  addExample(addCommonFlags(show), 'user show anna@example.org')
  show.action(async (text: string, flags: CommonFlags) => {
    const { user, sessions, lookalikes } = await withGatebook(context, flags, {}, async (gate) => {
      const user = await getUser(gate, text)
      const lookalikes = (await gate.users.lookalikes(user.id)).map(({ id }) => id)
      return { user, sessions: (await gate.sessions.list(user.id)).length, lookalikes }
    })
    if (flags.json === true) terminal.json({ ...toWireUser(user), live_sessions: sessions, lookalikes })
    else printFields(terminal, [...describe(user, sessions), ['looks like', lookalikes.join(', ') || null]])
  })

  defineSwitches(group, context)
  defineReset(group, context)
  defineUserImport(group, context)

  const unlock = group
    .command('unlock')
    .description('Let a throttled account try again at once.')
    .argument('<identifier>')
  addExample(addCommonFlags(unlock), 'user unlock anna@example.org')
  unlock.action(async (identifier: string, flags: CommonFlags) => {
    const counters = await withGatebook(context, flags, {}, (gate) => gate.users.unlock(identifier, CLI_CONTEXT))
    const done = counters === 0 ? 'Nothing was counted against' : 'Unlocked'
    report(terminal, flags, { identifier, counters }, `${done} ${identifier}.`)
  })

  const password = group
    .command('set-password')
    .description('Set a password and end all sessions.')
    .argument('<user>', 'id or identifier')
  addExample(addCommonFlags(password.option(...PASSWORD_STDIN)), 'user set-password anna@example.org')
  password.action(async (text: string, flags: PasswordFlags) => {
    const typed = await readPassword(flags)
    const user = await withGatebook(context, flags, {}, async (gate) => {
      const user = await getUser(gate, text)
      await gate.users.setPassword(user.id, typed, CLI_CONTEXT)
      return user
    })
    report(terminal, flags, { user_id: user.id }, `${text} has another password; all sessions have ended.`)
  })
}

function defineReset(group: Command, context: CommandContext): void {
  const { terminal } = context
  const reset = group
    .command('reset')
    .description('Make a token with which a user sets a new password; shown this once, to be handed over.')
    .argument('<user>', 'id or identifier')
  addExample(addCommonFlags(reset), 'user reset anna@example.org')
  reset.action(async (text: string, flags: CommonFlags) => {
    const { user, token, expiresAt } = await withGatebook(context, flags, {}, async (gate) => {
      const user = await getUser(gate, text)
      return { user, ...(await gate.passwordResets.issue(user.id, CLI_CONTEXT)) }
    })
    const link = linkTo(context, flags, 'resetUrl', token)
    if (flags.json === true) terminal.json({ user_id: user.id, token, expires_at: expiresAt, link })
    else {
      printFields(terminal, [
        ['user', user.identifier ?? user.id],
        ['expires', formatTime(expiresAt)],
        ['token', token],
        ['link', link],
      ])
    }
  })
}

/** Commands that turn something on or off for one user, who may be one of the application's own. */
function defineSwitches(group: Command, context: CommandContext): void {
  const { terminal } = context
  for (const [name, about] of [
    ['disable', 'Refuse log-ins of a user and end all sessions.'],
    ['enable', 'Let a disabled user log in again.'],
  ] as const) {
    const command = group.command(name).description(about).argument('<user>', 'id or identifier')
    addExample(addCommonFlags(command.option(...APPLICATION_USER)), `user ${name} anna@example.org`)
    command.action(async (text: string, flags: TargetFlags) => {
      const userId = await withGatebook(context, flags, {}, async (gate) => {
        const id = await getUserId(gate, text, flags.applicationUser === true)
        await gate.users[name](id, CLI_CONTEXT)
        return id
      })
      report(terminal, flags, { user_id: userId }, `${text} is ${name}d.`)
    })
  }
  for (const [name, method, about] of [
    ['grant', 'grantRole', 'Give a user a role.'],
    ['revoke', 'revokeRole', 'Take a role from a user.'],
  ] as const) {
    const command = group.command(name).description(about).argument('<user>', 'id or identifier').argument('<role>')
    addExample(addCommonFlags(command.option(...APPLICATION_USER)), `user ${name} anna@example.org admin`)
    command.action(async (text: string, role: string, flags: TargetFlags) => {
      const userId = await withGatebook(context, flags, {}, async (gate) => {
        const id = await getUserId(gate, text, flags.applicationUser === true)
        await gate.users[method](id, role, CLI_CONTEXT)
        return id
      })
      report(
        terminal,
        flags,
        { user_id: userId, role },
        `${text} ${name === 'grant' ? 'has' : 'does not have'} the role ${role}.`,
      )
    })
  }
}

const COLUMNS: readonly Column<User>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'IDENTIFIER', value: ({ identifier }) => identifier ?? '', usual: 30, least: 12 },
  { title: 'ROLES', value: ({ roles }) => roles.join(','), usual: 12, least: 6, drop: 2 },
  { title: 'STATE', value: state, usual: 8, colour: ({ disabledAt }) => (disabledAt === null ? undefined : 'red') },
  { title: 'CREATED', value: ({ createdAt }) => formatTime(createdAt), usual: 26, drop: 1 },
]

function state({ disabledAt }: User): string {
  return disabledAt === null ? 'enabled' : 'disabled'
}

function describe(user: User, sessions: number): readonly (readonly [string, string | null])[] {
  return [
    ['id', user.id],
    ['identifier', user.identifier],
    ['roles', user.roles.join(', ') || null],
    ['state', user.disabledAt === null ? 'enabled' : `disabled since ${formatTime(user.disabledAt)}`],
    ['created', formatTime(user.createdAt)],
    ['confirmed', user.confirmedAt === null ? null : formatTime(user.confirmedAt)],
    ['live sessions', String(sessions)],
  ]
}

function readPassword({ passwordStdin }: PasswordFlags): Promise<string> {
  return passwordStdin === true ? readPasswordFrom(process.stdin) : promptPassword(process.stdin, process.stderr)
}

function report(terminal: Terminal, flags: CommonFlags, json: object, sentence: string): void {
  if (flags.json === true) terminal.json(json)
  else terminal.line(escapeUnsafe(sentence))
}
