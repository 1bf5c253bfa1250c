import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Gatebook } from '../../src/api.ts'
import { createGatebook } from '../../src/gatebook.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { sqlite } from '../../src/store/dialects/sqlite.ts'
import { CHEAP_HASHES, ISSUER, PASSWORD, SECRET } from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'

export { PASSWORD }

/** A gate on a database of its own; both are gone after `close`. */
export async function openGate(options: Partial<GatebookOptions> = {}): Promise<Gatebook> {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-http-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const gate = await createGatebook({
    issuer: ISSUER,
    database: sqlite(join(folder, 'gatebook.db')),
    secret: SECRET,
    ...signingOf(`sqlite:${join(folder, 'gatebook.db')}`),
    adminPath: '/admin',
    oauthPath: '/oauth',
    operationsPath: '',
    logPath: '/log',
    ...CHEAP_HASHES,
    accessTokenJitterPercent: 0,
    ...options,
  }).catch((error: unknown) => {
    remove()
    throw error
  })
  const close = async () => {
    await gate.close()
    remove()
  }
  return { ...gate, close }
}

export interface CallOptions {
  readonly token?: string
  /** Sent as JSON, unless it is a text or a stream. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly remoteAddress?: string
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test says by its expectations what it takes the body for
  readonly json: any
}

/** One call of the API without a socket. */
export async function call(gate: Gatebook, line: string, options: CallOptions = {}): Promise<Reply> {
  const [method = 'GET', path = '/'] = line.split(' ')
  const { body } = options
  const plain = body === undefined || typeof body === 'string' || body instanceof ReadableStream
  const request = new Request(`http://localhost${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: plain ? (body as string) : JSON.stringify(body), duplex: 'half' }),
  } as RequestInit)
  const response = await gate.fetch(request, { remoteAddress: options.remoteAddress ?? '203.0.113.9' })
  const text = await response.text()
  const json = /json/.test(response.headers.get('content-type') ?? '') && text !== '' ? JSON.parse(text) : undefined
  return { status: response.status, headers: response.headers, text, json }
}

/** Members of the tokens of a new user. */
export async function register(
  gate: Gatebook,
  identifier: string,
): Promise<{ access: string; refresh: string; userId: string; sessionId: string }> {
  const { json, status, text } = await call(gate, 'POST /auth/register', { body: { identifier, password: PASSWORD } })
  if (status !== 201) throw new Error(`registration was answered ${status} ${text}`)
  return { access: json.access_token, refresh: json.refresh_token, userId: json.user_id, sessionId: json.session_id }
}

/** The access token of a new admin. */
export async function registerAdmin(
  gate: Gatebook,
  identifier = 'root@app.example',
): Promise<{ access: string; userId: string }> {
  const user = await gate.users.create({ identifier, password: PASSWORD, roles: ['admin'] })
  const tokens = await gate.login({ identifier, password: PASSWORD })
  return { access: tokens.accessToken, userId: user.id }
}
