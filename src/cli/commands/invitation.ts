import type { Command } from 'commander'
import type { Invitation } from '../../api.ts'
import { toWireInvitation, toWireNewInvitation } from '../../http/wire.ts'
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
import { type Column, printTable } from '../table.ts'
import { formatTime, printFields } from '../terminal.ts'
import { linkTo, withGatebook } from '../with-gatebook.ts'

interface AddFlags extends CommonFlags {
  readonly role?: readonly string[]
  readonly days?: number
  readonly send?: boolean
}

const DAY_SECONDS = 86_400

export function defineInvitation(group: Command, context: CommandContext): void {
  const { terminal } = context

  const add = group
    .command('add')
    .description('Make an invitation. Its token is shown this once.')
    .argument('[identifier]', 'the only one who may register with it; anybody who holds it when left out')
  add
    .option(
      '--role <role>',
      'what the new user is granted; may be repeated',
      (role, before: readonly string[] = []) => [...before, role],
    )
    .option('--days <count>', 'how many days it is good for', parseCount('--days', 1, 90))
    .option('--send', 'send it by mail, too (GATEBOOK_SMTP_URL)')
  addExample(addCommonFlags(add), 'invitation add anna@example.org --role editor', 'invitation add --days 1')
  add.action(async (identifier: string | undefined, flags: AddFlags) => {
    const { role: roles, days, send = false } = flags
    const invitation = await withGatebook(context, flags, { mail: send }, (gate) =>
      gate.invitations.create(
        {
          send,
          ...(identifier !== undefined && { identifier }),
          ...(roles !== undefined && { roles }),
          ...(days !== undefined && { expiresInSeconds: days * DAY_SECONDS }),
        },
        CLI_CONTEXT,
      ),
    )
    const link = linkTo(context, flags, 'invitationUrl', invitation.token)
    if (flags.json === true) terminal.json({ ...toWireNewInvitation(invitation), link })
    else {
      printFields(terminal, [
        ['invitation', invitation.id],
        ['for', invitation.identifier],
        ['roles', invitation.roles.join(', ') || null],
        ['expires', formatTime(invitation.expiresAt)],
        ['token', invitation.token],
        ['link', link],
      ])
    }
  })

  const list = group.command('list').description('List invitations, newest first.')
  addExample(addPageFlags(addCommonFlags(list)), 'invitation list')
  list.action(async (flags: CommonFlags & PageFlags) => {
    const page = await withGatebook(context, flags, {}, (gate) => gate.invitations.list(pageOptions(flags)))
    if (flags.json === true) for (const invitation of page.items) terminal.json(toWireInvitation(invitation))
    else if (page.items.length === 0) terminal.note('There are no invitations.')
    else printTable(terminal, COLUMNS, page.items)
    terminal.next(page.next, flags.json === true)
  })

  const revoke = group.command('revoke').description('Make an invitation void.').argument('<invitation>', 'its id')
  addExample(addCommonFlags(revoke), 'invitation revoke inv_01k9…')
  revoke.action(async (id: string, flags: CommonFlags) => {
    const revoked = await withGatebook(context, flags, {}, (gate) => gate.invitations.revoke(id, CLI_CONTEXT))
    if (flags.json === true) terminal.json({ invitation: id, revoked })
    else terminal.line(revoked ? 'The invitation is void.' : 'The invitation was of no use any more.')
  })
}

const COLUMNS: readonly Column<Invitation>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'FOR', value: ({ identifier }) => identifier ?? 'anybody', usual: 30, least: 12 },
  { title: 'ROLES', value: ({ roles }) => roles.join(','), usual: 12, least: 6, drop: 2 },
  { title: 'STATE', value: ({ state }) => state, usual: 8 },
  { title: 'EXPIRES', value: ({ expiresAt }) => formatTime(expiresAt), usual: 26, drop: 1 },
]
