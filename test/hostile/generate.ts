import { type Draft, PLANTED } from './draft.ts'
import { MUTATIONS } from './mutations.ts'
import { drawText, type Lot } from './values.ts'

/** As much of an OpenAPI document as says how to ask. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

interface Operation {
  readonly operationId: string
  readonly security: readonly object[]
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: { readonly properties?: object } }>>
  }
}

/** What the requests are about. All of it is known to the server. */
export interface Known {
  readonly adminToken: string
  readonly userToken: string
  readonly userId: string
  readonly sessionId: string
  readonly refreshToken: string
}

export interface HostileRequest {
  /** For the reader of a failure. */
  readonly label: string
  /** Written one after the other, with `pauseMilliseconds` between them. */
  readonly parts: readonly Buffer[]
  readonly pauseMilliseconds: number
  /** Waits for the time limit of the server. */
  readonly isPatient?: boolean
  /** Reads on until the server hangs up. */
  readonly untilClosed?: boolean
  /** How many answers there must be: of a pipeline, one each. */
  readonly answers: number
  /** Methods in their order: a HEAD has no body. */
  readonly methods: readonly string[]
}

/** One request that was right once. `at` makes it unlike every other. */
export function generateRequest(document: ApiDocument, known: Known, lot: Lot, at: number): HostileRequest {
  const draft = draftOf(document, known, lot, at)
  const planted = `${PLANTED}${at}`
  const mutations = 1 + (lot.once(4) ? 1 : 0)
  for (let done = 0; done < mutations; done++) {
    const [name, mutate] = lot.pick(MUTATIONS)
    mutate(draft, lot, planted)
    draft.label += `, ${name}`
  }
  if (draft.isForm) draft.body = toForm(draft.body)
  const bytes = write(draft)
  if (lot.once(40)) return pipelined(draft, bytes, lot)
  return { ...spread(bytes, lot), label: draft.label, answers: 1, methods: [draft.method] }
}

const FORM = 'application/x-www-form-urlencoded'

function draftOf(document: ApiDocument, known: Known, lot: Lot, at: number): Draft {
  const [path, operations] = lot.pick(Object.entries(document.paths))
  const [method, operation] = lot.pick(Object.entries(operations))
  const content = operation.requestBody?.content ?? {}
  const isForm = FORM in content
  const members = Object.keys(content[isForm ? FORM : 'application/json']?.schema.properties ?? {})
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')
  const draft: Draft = {
    label: operation.operationId,
    method: method.toUpperCase(),
    target: path.replaceAll(/\{\w+\}/g, () => idOf(path, known, lot)),
    version: 'HTTP/1.1',
    headers: [
      ['Host', 'localhost'],
      ['X-Forwarded-For', `203.0.${lot.below(250)}.${lot.below(250)}`],
    ],
    body: null,
    isForm: isForm && !lot.once(8),
    framed: true,
    lineEnd: '\r\n',
  }
  if (operation.security.length > 0 || lot.once(5)) {
    const token = lot.once(4) ? known.userToken : known.adminToken
    if (lot.once(4)) draft.headers.push(...cookieHeaders(token, known, lot))
    else draft.headers.push(['Authorization', `Bearer ${token}`])
  } else if (lot.once(3)) {
    draft.headers.push(...cookieHeaders(known.userToken, known, lot))
  }
  const asked = query.filter(() => lot.once(2))
  if (asked.length > 0) {
    const pairs = asked.map(({ name }) => `${name}=${encodeURIComponent(drawText(lot).toWellFormed())}`)
    draft.target += `?${pairs.join('&')}`
  }
  if (operation.requestBody !== undefined) {
    const body: Record<string, unknown> = Object.fromEntries(
      members.map((name) => [name, memberOf(name, known, lot, at)]),
    )
    // The two are refused together, mostly.
    if (body.cookies === true && !lot.once(8)) delete body.refresh_token
    draft.body = Buffer.from(JSON.stringify(body))
    draft.headers.push(['Content-Type', draft.isForm ? FORM : 'application/json'])
  }
  return draft
}

/** What the mutations have left of the members; as it is where that is no object any more. */
function toForm(body: Buffer | null): Buffer | null {
  try {
    const members: unknown = JSON.parse(body?.toString() ?? '')
    const texts = Object.entries(members as object).map(([name, value]): [string, string] => [
      name,
      `${value}`.toWellFormed(),
    ])
    return Buffer.from(new URLSearchParams(texts).toString())
  } catch {
    return body
  }
}

const SITES = ['same-origin', 'same-origin', 'same-origin', 'none', 'same-site', 'cross-site'] as const

/** Mostly as a page of the same origin sends them; else tossed, doubled, broken, or from somewhere else. */
function cookieHeaders(accessToken: string, known: Known, lot: Lot): [name: string, value: string][] {
  const cookies = [`gatebook-access=${accessToken}`, `gatebook-refresh=${known.refreshToken}`]
  if (lot.once(6)) cookies.push(lot.pick(cookies))
  if (lot.once(6)) cookies.splice(lot.below(3), 0, drawText(lot).replaceAll(/[^\t\x20-\x7e]/g, '?'))
  const headers: [string, string][] = lot.once(8)
    ? cookies.map((cookie) => ['Cookie', cookie])
    : [['Cookie', cookies.join(lot.once(8) ? ';' : '; ')]]
  if (!lot.once(6)) headers.push(['Sec-Fetch-Site', lot.pick(SITES)])
  if (!lot.once(3)) headers.push(['Origin', lot.once(3) ? 'https://evil.example' : 'http://localhost'])
  return headers
}

function idOf(path: string, known: Known, lot: Lot): string {
  if (lot.once(3)) return encodeURIComponent(drawText(lot).toWellFormed())
  return path.includes('session') && !path.includes('/users/') ? known.sessionId : known.userId
}

function memberOf(name: string, known: Known, lot: Lot, at: number): unknown {
  switch (name) {
    case 'roles':
      return ['reader']
    case 'disabled':
    case 'send':
      return false
    // Of a client, and no secret.
    case 'name':
      return `client ${at}`
    case 'cookies':
      return lot.once(3)
    case 'grant_type':
      return lot.pick(['authorization_code', 'refresh_token', 'password'])
    case 'expires_in':
      return 3600
    case 'refresh_token':
      return lot.once(2) ? known.refreshToken : `${PLANTED}${at}`
  }
  // A new name now and then, the same one mostly: attempts on one account are where counters and locks are.
  if (name === 'identifier') return lot.once(2) ? 'victim@app.example' : `user${at}@app.example`
  return `${PLANTED}${at} is long enough`
}

function write({ method, target, version, headers, body, framed, lineEnd }: Draft): Buffer {
  const all = framed && body !== null ? [...headers, ['Content-Length', String(body.length)] as const] : headers
  return Buffer.concat([
    Buffer.from(`${method} ${target}${version === '' ? '' : ` ${version}`}${lineEnd}`, 'latin1'),
    ...all.flatMap(([name, value]) => [
      Buffer.from(`${name}: `, 'latin1'),
      typeof value === 'string' ? Buffer.from(value, 'latin1') : value,
      Buffer.from(lineEnd),
    ]),
    Buffer.from(lineEnd),
    ...(body === null ? [] : [body]),
  ])
}

/** Right requests in front, in one write: whatever becomes of the last one, theirs must come, and come first. */
function pipelined(draft: Draft, bytes: Buffer, lot: Lot): HostileRequest {
  const before = 1 + lot.below(8)
  const right = Buffer.from('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  return {
    label: `${draft.label}, after ${before} others`,
    parts: [Buffer.concat([...Array.from({ length: before }, () => right), bytes])],
    pauseMilliseconds: 0,
    answers: before + 1,
    methods: [...Array.from({ length: before }, () => 'GET'), draft.method],
  }
}

function spread(bytes: Buffer, lot: Lot): { parts: Buffer[]; pauseMilliseconds: number } {
  if (!lot.once(10) || bytes.length < 2) return { parts: [bytes], pauseMilliseconds: 0 }
  const cuts = lot.once(3) && bytes.length < 600 ? bytes.length : 2 + lot.below(4)
  const size = Math.ceil(bytes.length / cuts)
  const parts: Buffer[] = []
  for (let from = 0; from < bytes.length; from += size) parts.push(bytes.subarray(from, from + size))
  return { parts, pauseMilliseconds: cuts > 10 ? 0 : 20 + lot.below(80) }
}
