import type { Command } from 'commander'
import type { SigningKey } from '../../api.ts'
import { toWireSigningKey } from '../../http/wire.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { type Column, printTable } from '../table.ts'
import { type Colour, formatTime } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

export function defineKey(group: Command, context: CommandContext): void {
  const { terminal } = context

  const list = group.command('list').description('List the signing keys, newest first.')
  addExample(addCommonFlags(list), 'key list')
  list.action(async (flags: CommonFlags) => {
    const keys = await withGatebook(context, flags, {}, (gate) => gate.keys.list())
    if (flags.json === true) for (const key of keys) terminal.json(toWireSigningKey(key))
    else if (keys.length === 0) terminal.note('There is no signing key yet; the first start makes one.')
    else printTable(terminal, COLUMNS, keys)
  })

  const rotate = group.command('rotate').description('Make the key that signs next. Nobody is logged out.')
  addExample(addCommonFlags(rotate), 'key rotate')
  rotate.action(async (flags: CommonFlags) => {
    const key = await withGatebook(context, flags, {}, (gate) => gate.keys.rotate(CLI_CONTEXT))
    if (flags.json === true) terminal.json(toWireSigningKey(key))
    else terminal.line(`${key.id} signs from ${formatTime(key.activatesAt)} on, when everybody knows it.`)
  })

  const revoke = group
    .command('revoke')
    .description('End a key at once: what it has signed is refused, and clients refresh.')
    .argument('<key>', 'its id')
  addExample(addCommonFlags(revoke), 'key revoke key_01k9…')
  revoke.action(async (keyId: string, flags: CommonFlags) => {
    const revoked = await withGatebook(context, flags, {}, (gate) => gate.keys.revoke(keyId, CLI_CONTEXT))
    if (flags.json === true) terminal.json({ revoked })
    else terminal.line(revoked ? `${keyId} is revoked.` : `${keyId} had ended before.`)
  })
}

const COLOURS: Readonly<Record<SigningKey['state'], Colour | undefined>> = {
  pending: undefined,
  active: 'green',
  retiring: undefined,
  retired: 'dim',
  revoked: 'red',
}

const COLUMNS: readonly Column<SigningKey>[] = [
  { title: 'ID', value: ({ id }) => id, usual: 30 },
  { title: 'ALGORITHM', value: ({ algorithm }) => algorithm, usual: 9 },
  { title: 'STATE', value: ({ state }) => state, usual: 8, colour: ({ state }) => COLOURS[state] },
  { title: 'NEXT', value: nextOf, usual: 40, least: 26, drop: 1 },
]

/** What becomes of it, and when. */
function nextOf({ state, activatesAt, activatedAt, retiresAt, endedAt }: SigningKey): string {
  if (state === 'pending') return `signs from ${formatTime(activatesAt)}`
  if (state === 'retiring' && retiresAt !== null) return `verifies until ${formatTime(retiresAt)}`
  if (state === 'active' && activatedAt !== null) return `signs since ${formatTime(activatedAt)}`
  return endedAt === null ? '' : `ended ${formatTime(endedAt)}`
}
