import { ClientError } from './client-error.ts'
import { type Grant, type HeldSession, parseGrant } from './held-session.ts'
import type { ClientSettings } from './settings.ts'

/** A grant and how long ago it was asked for, in milliseconds: the access token is at most that old. */
export interface TimedGrant {
  readonly grant: Grant
  readonly age: number
}

/** The routes of Gatebook that this client calls by itself (spec/http.md). Everything throws a ClientError. */
export interface ServerApi {
  /** `POST` of log-in, registration or refresh; null for an answer without a session. */
  grant(path: string, body: object): Promise<TimedGrant | null>
  refresh(session: HeldSession | null): Promise<TimedGrant>
  /** Ends this session at the server. */
  logout(session: HeldSession | null): Promise<void>
}

interface PostOptions {
  /** Milliseconds. */
  readonly timeout?: number
  /** Whether it goes on when the page is left. */
  readonly keepalive?: boolean
}

/** Milliseconds. Of a refresh: short enough to ask again within the grace period of the server. */
const TIMEOUT = 30_000
const REFRESH_TIMEOUT = 8000

/** Bytes of a problem document, and milliseconds in which it arrives: what is larger or slower is none. */
const PROBLEM_SIZE = 65_536
const PROBLEM_TIMEOUT = 3000

export function createServerApi({ url, storage, fetch, clock }: ClientSettings): ServerApi {
  const cookies = storage === null

  async function post(
    path: string,
    body: object,
    { timeout = TIMEOUT, keepalive = false }: PostOptions = {},
  ): Promise<unknown> {
    const response = await reach(() =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(cookies ? { ...body, cookies } : body),
        credentials: cookies ? 'same-origin' : 'omit',
        redirect: 'manual',
        keepalive,
        signal: AbortSignal.timeout(timeout),
      }),
    )
    refuseRedirect(response)
    if (!response.ok) throw await readProblem(response)
    return reach(() => response.text()).then((text) => (text === '' ? null : parseAnswer(text, response.status)))
  }

  async function grant(path: string, body: object, how?: PostOptions): Promise<TimedGrant | null> {
    const [asked, askedAt] = [clock.monotonic(), clock.wall()]
    const answer = await post(path, body, how)
    if (answer === null) return null
    return { grant: parseGrant(answer, askedAt, cookies), age: clock.monotonic() - asked }
  }

  return {
    grant,
    async refresh(session) {
      // New cookies arrive also when the page is left in between; tokens have nobody then who stores them.
      const how = { timeout: REFRESH_TIMEOUT, keepalive: cookies }
      const answer = await grant('/auth/refresh', presented(session), how)
      if (answer === null) throw new ClientError('ERR_ANSWER_MALFORMED')
      return answer
    },
    async logout(session) {
      await post('/auth/logout', presented(session), { keepalive: true })
    },
  }
}

/** In cookies mode the browser presents it. */
function presented(session: HeldSession | null): object {
  return session?.tokens ? { refresh_token: session.tokens.refresh } : {}
}

/** What fails to arrive is ERR_NETWORK, except for what the caller has broken off. */
export async function reach<T>(request: () => Promise<T>, signal?: AbortSignal | null): Promise<T> {
  try {
    return await request()
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ClientError('ERR_NETWORK', { cause: error })
  }
}

/** In a browser a script does not learn where a redirect leads, so none is followed with a token. */
export function refuseRedirect({ type, status }: Response): void {
  const redirected = type === 'opaqueredirect' || [301, 302, 303, 307, 308].includes(status)
  if (redirected) throw new ClientError('ERR_REDIRECT_REFUSED', { status: status === 0 ? null : status })
}

/** A problem document (RFC 9457) as an error; ERR_ANSWER_MALFORMED with the status for what is none, e.g. a proxy's page. */
export async function readProblem(response: Response): Promise<ClientError> {
  const problem = Object(isProblem(response) ? await readJson(response) : null)
  const known = typeof problem.code === 'string'
  return new ClientError(known ? problem.code : 'ERR_ANSWER_MALFORMED', {
    status: response.status,
    requestId: textOrNull(problem.request_id),
    retryAfterSeconds: readSeconds(response.headers.get('retry-after')),
    reason: textOrNull(problem.end_reason),
    ...(typeof problem.detail === 'string' && { detail: problem.detail }),
  })
}

/** The code of a problem document, whose body stays to be read by others; null for anything else. */
export async function peekCode(response: Response): Promise<string | null> {
  if (!isProblem(response)) return null
  const { code } = Object(await readJson(response.clone()))
  return textOrNull(code)
}

function isProblem({ headers }: Response): boolean {
  return /^application\/problem\+json\s*(;|$)/i.test(headers.get('content-type') ?? '')
}

/** Null for what is no JSON, too large or too slow; the rest of the body is not asked for. */
async function readJson({ body }: Response): Promise<unknown> {
  if (body === null) return null
  const reader = body.getReader()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(''), PROBLEM_TIMEOUT)
  })
  try {
    return JSON.parse(await Promise.race([readText(reader), late]))
  } catch {
    return null
  } finally {
    clearTimeout(timer)
    // Of a clone, this ends only with the other one: not waited for.
    reader.cancel().catch(() => undefined)
  }
}

/** Empty for what is too large. */
async function readText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.byteLength
    if (size > PROBLEM_SIZE) return ''
    text += decoder.decode(value, { stream: true })
  }
}

function parseAnswer(text: string, status: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ClientError('ERR_ANSWER_MALFORMED', { status })
  }
}

/** The form with seconds (RFC 9110 §10.2.3), an hour at most. */
function readSeconds(header: string | null): number | null {
  return header !== null && /^\d{1,9}$/.test(header) ? Math.min(Number(header), 3600) : null
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
