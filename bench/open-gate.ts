import { randomBytes } from 'node:crypto'
import { toNodeHandler } from '../src/adapters/node.ts'
import { createGatebook } from '../src/gatebook.ts'
import type { GatebookOptions } from '../src/options.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'

export type GateOptions = Partial<GatebookOptions>

export interface OpenedGate {
  readonly handle: ReturnType<typeof toNodeHandler>
  close(): Promise<void>
}

/** A gate with the default options, but for the throttle: all clients of a measurement have one address. */
export async function openGate(url: string, options: GateOptions): Promise<OpenedGate> {
  const secret = randomBytes(32).toString('base64')
  const gate = await createGatebook({
    ...{ issuer: 'http://127.0.0.1', database: parseDatabaseUrl(url), secret, throttleAddressFailures: 100_000 },
    ...options,
  })
  return { handle: toNodeHandler(gate), close: () => gate.close() }
}
