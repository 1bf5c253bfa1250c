import { GatebookError, isGatebookError } from '../errors.ts'
import type { CheckedClaims } from '../token/access-claims.ts'
import { refuseRevoked } from '../token/refuse-revoked.ts'
import { createRevokedSessions, type Revocation } from '../token/revoked-sessions.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import { startElapsed } from '../util/elapsed.ts'
import { parseStrictJson } from '../util/strict-json.ts'
import { readBody } from './read-body.ts'

/** How a verifier learns of sessions that have ended before their access tokens expire. */
export interface RevocationOptions {
  /** What `gatebook client add` has shown. */
  readonly clientId: string
  readonly clientSecret: string
  /** Default: `/auth/revocations` of the issuer. https, or this machine. */
  readonly url?: string | URL
  /**
   * For how long the issuer may be silent: 15 to 3,600, and more than twice `waitSeconds`; default 60. After that `failMode`
   * decides.
   */
  readonly maxStaleSeconds?: number
  /**
   * `closed`, the default: ERR_REVOCATIONS_UNAVAILABLE for every token until the issuer answers again. `open`: a token is good
   * until it expires, whatever has become of its session meanwhile.
   */
  readonly failMode?: 'closed' | 'open'
  /** Seconds for which the issuer holds an answer back while there is nothing new: 0 to 30, default 5. */
  readonly waitSeconds?: number
  /** Called for each question that failed; the next one follows by itself. */
  readonly onError?: (error: unknown) => void
}

export interface RevocationState {
  /** Sessions that are remembered as revoked. */
  readonly entries: number
  /** Seconds since the last answer was asked for; Infinity before the first one. */
  readonly staleSeconds: number
}

export interface RemoteRevocations {
  /** Waits for the first question to be settled. Throws ERR_TOKEN_REVOKED, ERR_TOKEN_STALE, ERR_REVOCATIONS_UNAVAILABLE. */
  check(checked: CheckedClaims): void | Promise<void>
  /** Settles with the first answer. Throws ERR_REVOCATIONS_UNAVAILABLE when there is none within ten seconds. */
  ready(): Promise<void>
  state(): RevocationState
  close(): void
}

export interface RemoteRevocationsParts extends Required<Omit<RevocationOptions, 'url'>> {
  readonly url: URL
  readonly fetch: typeof fetch
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** Beyond what the issuer holds back, in milliseconds. */
const ANSWER_MILLISECONDS = 10_000
/** Between two questions, so that an answer that is always there does not become a flood. */
const PAUSE_MILLISECONDS = 100
const RETRY_MOST_MILLISECONDS = 5000
const BYTES_MOST = 1_048_576

/** Asks again and again until `close`, from the first moment on. */
export function remoteRevocations(parts: RemoteRevocationsParts): RemoteRevocations {
  const { now, failMode, waitSeconds, onError } = parts
  const sessions = createRevokedSessions()
  const closing = new AbortController()
  const staleMost = parts.maxStaleSeconds * 1000
  let after: string | undefined
  let sinceFresh = () => Number.POSITIVE_INFINITY
  let started = false
  const answered = createLatch()
  /** With an answer or without one. */
  const tried = createLatch()

  async function ask(): Promise<boolean> {
    const elapsed = startElapsed()
    const page = await fetchPage(parts, after, started && after !== undefined ? waitSeconds : 0, closing.signal)
    for (const revocation of page.entries) sessions.note(revocation, now())
    after = page.next
    if (page.more) return true
    // What is on the first pages only is not the whole.
    started = true
    // By our own clock, from before the question: what has happened later may not be in the answer.
    sinceFresh = elapsed
    sessions.forget(now())
    answered.open()
    tried.open()
    return false
  }

  async function run(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      try {
        const more = await ask()
        failures = 0
        if (!more) await pause(PAUSE_MILLISECONDS, closing.signal)
      } catch (error) {
        if (closing.signal.aborted) return
        // The place that was reached is nobody's any more. What is known stays, and is as old as it is.
        if (isGatebookError(error, 'ERR_CURSOR_INVALID')) after = undefined
        tell(onError, error)
        failures += 1
        // Verifiers that lost the same issuer must not come back in step.
        tried.open()
        const most = Math.min(RETRY_MOST_MILLISECONDS, 250 * 2 ** Math.min(failures, 10))
        await pause(most * (0.5 + Math.random() / 2), closing.signal)
      }
    }
  }

  function judge(checked: CheckedClaims): void {
    refuseRevoked(sessions, checked)
    if (failMode === 'closed' && sinceFresh() > staleMost) {
      throw new GatebookError('ERR_REVOCATIONS_UNAVAILABLE', { retryAfterSeconds: 1 })
    }
  }

  void run()
  return {
    check(checked) {
      return started || tried.isOpen ? judge(checked) : tried.opened.then(() => judge(checked))
    },
    async ready() {
      await Promise.race([answered.opened, pause(ANSWER_MILLISECONDS, closing.signal)])
      if (!answered.isOpen) throw new GatebookError('ERR_REVOCATIONS_UNAVAILABLE', { retryAfterSeconds: 1 })
    },
    state: () => ({ entries: sessions.size, staleSeconds: sinceFresh() / 1000 }),
    close: () => closing.abort(),
  }
}

interface Latch {
  readonly opened: Promise<void>
  readonly isOpen: boolean
  open(): void
}

function createLatch(): Latch {
  let resolve: () => void
  let isOpen = false
  const opened = new Promise<void>((go) => {
    resolve = go
  })
  return {
    opened,
    get isOpen() {
      return isOpen
    },
    open() {
      isOpen = true
      resolve()
    },
  }
}

/** What somebody else's function throws is not for whoever waits here. */
function tell(onError: (error: unknown) => void, error: unknown): void {
  try {
    onError(error)
  } catch {}
}

interface Page {
  readonly entries: readonly Revocation[]
  readonly next: string
  readonly more: boolean
}

async function fetchPage(
  { url, clientId, clientSecret, fetch }: RemoteRevocationsParts,
  after: string | undefined,
  waitSeconds: number,
  closing: AbortSignal,
): Promise<Page> {
  const asked = new URL(url)
  if (after !== undefined) asked.searchParams.set('after', after)
  asked.searchParams.set('wait', String(waitSeconds))
  const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
  const response = await fetch(asked, {
    // A redirect would carry the secret to somebody else.
    redirect: 'error',
    signal: AbortSignal.any([closing, AbortSignal.timeout(waitSeconds * 1000 + ANSWER_MILLISECONDS)]),
    headers: { Accept: 'application/json', Authorization: `Basic ${Buffer.from(pair).toString('base64')}` },
  })
  if (response.status !== 200) {
    const problem = await readProblem(response)
    if (problem === 'ERR_CURSOR_INVALID') throw new GatebookError('ERR_CURSOR_INVALID')
    throw new GatebookError('ERR_REVOCATIONS_UNAVAILABLE', { detail: `the issuer answered ${response.status}` })
  }
  const page = readPage(parseStrictJson(decodeUtf8(await readBody(response, BYTES_MOST))))
  if (page === null) throw new GatebookError('ERR_REVOCATIONS_UNAVAILABLE', { detail: 'the answer is no such feed' })
  return page
}

/** The code of a problem document; null for any other answer. */
async function readProblem(response: Response): Promise<string | null> {
  try {
    const { code } = parseStrictJson(decodeUtf8(await readBody(response, 16_384))) as { code?: unknown }
    return typeof code === 'string' ? code : null
  } catch {
    return null
  }
}

function readPage(body: unknown): Page | null {
  const { entries, next, more } = (body ?? {}) as Record<string, unknown>
  if (!Array.isArray(entries) || typeof next !== 'string' || typeof more !== 'boolean') return null
  if (next.length > 4096 || (more && entries.length === 0)) return null
  const read = entries.map(readEntry)
  return read.includes(null) ? null : { entries: read as Revocation[], next, more }
}

/** A kind that is not known here is taken for an end: what a newer issuer says of a session is never that it is well. */
function readEntry(entry: unknown): Revocation | null {
  const { sid, kind, gen, reason, forget_at: forgetAt } = (entry ?? {}) as Record<string, unknown>
  if (typeof sid !== 'string' || typeof kind !== 'string') return null
  if (!Number.isSafeInteger(gen) || !Number.isSafeInteger(forgetAt)) return null
  return {
    sessionId: sid,
    ended: kind !== 'stale',
    generation: gen as number,
    reason: typeof reason === 'string' ? reason : null,
    forgetAt: forgetAt as number,
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, milliseconds)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}
