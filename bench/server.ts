/**
 * The process that is measured: Gatebook on node:http, and beside it, in the same process, an endpoint that does nothing but
 * the hash. Started by `start-server.ts` with its settings in the first argument.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '../src/adapters/node.ts'
import { createHashQueue, defaultHashConcurrency } from '../src/credential/hash-queue.ts'
import { createArgon2idHasher } from '../src/credential/hashers/argon2id.ts'
import { createGatebook } from '../src/gatebook.ts'
import type { GatebookOptions } from '../src/options.ts'
import { readConfig } from '../src/server/config.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { createSmtpMailer } from '../src/server/mailers/smtp.ts'
import { createSenders, type Senders } from '../src/server/senders.ts'
import { signingOf } from '../test/support/log-signing.ts'
import { addUsers, PASSWORD } from './add-users.ts'
import { countStatements } from './statements.ts'

export interface ServerSettings {
  readonly url: string
  readonly options: Partial<GatebookOptions>
  readonly users: number
  /** Keeps the statements of the last request; costs time. */
  readonly count: boolean
  /** Of a mail server on this machine; null for none. */
  readonly smtpPort?: number
}

export interface ServerReport {
  readonly port: number
  readonly hashConcurrency: number
}

const settings = JSON.parse(process.argv[2] ?? 'null') as ServerSettings
const { options } = settings
const counter = settings.count ? await countStatements(settings.url) : null
const database = counter?.database ?? parseDatabaseUrl(settings.url)

const senders = settings.smtpPort === undefined ? {} : await sendTo(settings.smtpPort)
const gate = await createGatebook({
  issuer: 'http://127.0.0.1',
  secret: randomBytes(32).toString('base64'),
  database,
  ...signingOf(settings.url),
  // All clients have one address and many are under way at once; what is measured is not the refusing.
  throttleAddressFailures: 100_000,
  ...senders,
  ...options,
})

const hashConcurrency = options.hashConcurrency ?? defaultHashConcurrency()
const hasher = createArgon2idHasher({
  memoryKib: options.argon2MemoryKib ?? 19_456,
  iterations: options.argon2Iterations ?? 2,
})
const passwordHash = await hasher.hash(PASSWORD)
await addUsers(database, settings.users, passwordHash)

const queue = createHashQueue({ concurrency: hashConcurrency, limit: 100 })
const handle = toNodeHandler(gate)
/** An answer as long as that of a log-in. */
const FILLER = 'x'.repeat(900)

const REFERENCES: Readonly<Record<string, (password: string) => Promise<boolean>>> = {
  '/reference/queued': (password) => queue.reserve().run(() => hasher.verify(passwordHash, password)),
  '/reference/bare': (password) => hasher.verify(passwordHash, password),
}

async function refer(
  verify: (password: string) => Promise<boolean>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body = ''
  for await (const part of request) body += part
  const { password } = JSON.parse(body) as { password: string }
  const matches = await verify(password)
  response.writeHead(matches ? 200 : 401, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify({ matches, FILLER }))
}

/** As `gatebook serve` sends it. */
async function sendTo(port: number): Promise<Senders> {
  const config = readConfig({ GATEBOOK_SMTP_URL: `smtp://127.0.0.1:${port}`, GATEBOOK_MAIL_FROM: 'bench@example.test' })
  return createSenders(config, await createSmtpMailer(config), 'http://127.0.0.1', Date.now)
}

let last: readonly string[] = []
// As `gatebook serve` has it: no connection is closed under a client that pauses.
const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const verify = REFERENCES[request.url ?? '']
  if (verify !== undefined) refer(verify, request, response).catch(() => response.destroy())
  else if (counter === null) handle(request, response)
  else last = counter.run(() => handle(request, response))
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.send?.({ port, hashConcurrency } satisfies ServerReport)
})

process.on('message', (message) => {
  if (message === 'statements') process.send?.(last)
})
process.on('disconnect', async () => {
  server.closeAllConnections()
  server.close()
  await gate.close()
  process.exit()
})
