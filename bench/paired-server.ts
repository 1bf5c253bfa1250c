/**
 * A process with two gates, one with the log and one without it, each on a port of its own. Started by `start-server.ts` with its settings
 * in the first argument.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createArgon2idHasher } from '../src/credential/hashers/argon2id.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { addUsers, PASSWORD } from './add-users.ts'
import type * as OpenGate from './open-gate.ts'

export interface PairedSettings {
  readonly arms: Readonly<Record<Arm, { readonly url: string; readonly options: OpenGate.GateOptions }>>
  /** The one that is there longer must not always be the same. */
  readonly first: Arm
  readonly users: number
}

export type Arm = 'on' | 'off'
/** Both are copies, as one of them has to be. */
const COPIES: Readonly<Record<Arm, string>> = { on: '?with-log', off: '?without-log' }

export type PairedReport = Readonly<Record<Arm, number>>

const { arms, first, users } = JSON.parse(process.argv[2] ?? 'null') as PairedSettings
const hasher = createArgon2idHasher({ memoryKib: 19_456, iterations: 2 })
const passwordHash = await hasher.hash(PASSWORD)
const closing: (() => Promise<void>)[] = []

async function listen(arm: Arm): Promise<number> {
  const { url, options } = arms[arm]
  const module = (await import(new URL(`./open-gate.ts${COPIES[arm]}`, import.meta.url).href)) as typeof OpenGate
  const { handle, close } = await module.openGate(url, options)
  await addUsers(parseDatabaseUrl(url), users, passwordHash)
  const server = createServer({ keepAliveTimeout: 65_000 }, handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(async () => {
    server.closeAllConnections()
    server.close()
    await close()
  })
  return (server.address() as AddressInfo).port
}

const ports: Partial<Record<Arm, number>> = {}
for (const arm of first === 'on' ? (['on', 'off'] as const) : (['off', 'on'] as const)) ports[arm] = await listen(arm)
process.send?.(ports)
process.on('disconnect', async () => {
  for (const close of closing) await close()
  process.exit()
})
