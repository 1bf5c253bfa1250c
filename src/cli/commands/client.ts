import type { Command } from 'commander'
import type { Client, NewClient } from '../../api.ts'
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
    .description('Add a program that may ask about tokens, or an application that users are handed over to.')
    .argument('<name>', 'what people call it')
    .option('--redirect-uri <address>', 'where users may be handed over to; again for each', append, [])
    .option('--public', 'it runs in a browser or on a phone, and can keep no secret')
  addExample(
    addCommonFlags(add),
    "client add 'reports service'",
    'client add shop --redirect-uri https://shop.example/signed-in',
  )
  add.action(async (name: string, flags: CommonFlags & AddFlags) => {
    const { redirectUri: redirectUris } = flags
    const client = await withGatebook<Client | NewClient>(context, flags, {}, (gate) =>
      flags.public === true
        ? gate.clients.createPublic({ name, redirectUris }, CLI_CONTEXT)
        : gate.clients.create({ name, redirectUris }, CLI_CONTEXT),
    )
    if (flags.json === true) {
      terminal.json(toWireNewClient(client))
      return
    }
    terminal.line(`id      ${client.id}`)
    if (!('secret' in client)) return
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

interface AddFlags {
  readonly redirectUri: readonly string[]
  readonly public?: boolean
}

function append(address: string, before: readonly string[]): readonly string[] {
  return [...before, address]
}

const COLUMNS: readonly Column<Client>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'NAME', value: ({ name }) => name, usual: 24, least: 10 },
  {
    title: 'HANDED OVER TO',
    value: ({ redirectUris, public: isPublic }) => redirectUris.join(' ') + (isPublic ? ' (public)' : ''),
    usual: 36,
    least: 14,
    drop: 2,
  },
  { title: 'CREATED', value: ({ createdAt }) => formatTime(createdAt), usual: 24, drop: 1 },
  {
    title: 'STATE',
    value: ({ revokedAt }) => (revokedAt === null ? 'active' : `revoked ${formatTime(revokedAt)}`),
    usual: 32,
    least: 8,
    colour: ({ revokedAt }) => (revokedAt === null ? undefined : 'dim'),
  },
]
