import type { Command } from 'commander'
import type { Client } from '../../api.ts'
import { toWireClient, toWireNewClient } from '../../http/wire.ts'
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
import { type Column, printTable } from '../table.ts'
import { formatTime } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

export function defineClient(group: Command, context: CommandContext): void {
  const { terminal } = context

  const add = group
    .command('add')
    .description('Add a program that may ask about tokens; its secret is shown this once.')
    .argument('<name>', 'what people call it')
  addExample(addCommonFlags(add), "client add 'reports service'")
  add.action(async (name: string, flags: CommonFlags) => {
    const client = await withGatebook(context, flags, {}, (gate) => gate.clients.create({ name }, CLI_CONTEXT))
    if (flags.json === true) {
      terminal.json(toWireNewClient(client))
      return
    }
    terminal.line(`id      ${client.id}`)
    terminal.line(`secret  ${client.secret}`)
    terminal.note('Nobody can show the secret again. If it gets lost: gatebook client revoke, and add another.')
  })

  const list = group.command('list').description('List the programs, newest first.')
  addExample(addPageFlags(addCommonFlags(list)), 'client list')
  list.action(async (flags: CommonFlags & PageFlags) => {
    const page = await withGatebook(context, flags, {}, (gate) => gate.clients.list(pageOptions(flags)))
    if (flags.json === true) for (const client of page.items) terminal.json(toWireClient(client))
    else if (page.items.length === 0) terminal.note('There is no client.')
    else printTable(terminal, COLUMNS, page.items)
    if (page.next !== null) terminal.note(`More: --cursor ${page.next}`)
  })

  const revoke = group
    .command('revoke')
    .description('Make the secret of a program good for nothing.')
    .argument('<client>', 'its id')
  addExample(addCommonFlags(revoke), 'client revoke cli_01k9…')
  revoke.action(async (clientId: string, flags: CommonFlags) => {
    const revoked = await withGatebook(context, flags, {}, (gate) => gate.clients.revoke(clientId, CLI_CONTEXT))
    if (flags.json === true) terminal.json({ revoked })
    else terminal.line(revoked ? `${clientId} is revoked.` : `${clientId} had been revoked before.`)
  })
}

const COLUMNS: readonly Column<Client>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'NAME', value: ({ name }) => name, usual: 24, least: 10 },
  { title: 'CREATED', value: ({ createdAt }) => formatTime(createdAt), usual: 24, drop: 1 },
  {
    title: 'STATE',
    value: ({ revokedAt }) => (revokedAt === null ? 'active' : `revoked ${formatTime(revokedAt)}`),
    usual: 32,
    least: 8,
    colour: ({ revokedAt }) => (revokedAt === null ? undefined : 'dim'),
  },
]
