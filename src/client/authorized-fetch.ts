import { type HeldSession, isSame } from './held-session.ts'
import type { Refresher } from './refresher.ts'
import { peekCode, reach, refuseRedirect } from './server-api.ts'
import type { SessionKeeper } from './session-keeper.ts'
import type { ClientSettings } from './settings.ts'

/** Said of a session, and not of a token. */
const HAPPENED: ReadonlySet<string> = new Set(['ERR_TOKEN_REVOKED', 'ERR_TOKEN_STALE'])
/** Of a 401: another access token may be taken. */
const RETRYABLE: ReadonlySet<string> = new Set([
  'ERR_TOKEN_EXPIRED',
  'ERR_TOKEN_STALE',
  'ERR_TOKEN_REVOKED',
  'ERR_TOKEN_INVALID',
  'ERR_TOKEN_MISSING',
])

/**
 * Milliseconds after a refresh that a 401 has caused, in which no other 401 causes one: a server that refuses what has just
 * been obtained refuses it for another reason than its age.
 */
const FORCED_AGAIN = 30_000

/** A request that can be sent with the session, once or, if its body can be sent again, twice. */
interface Outgoing {
  /** A Request, or the href that was decided by. */
  readonly input: Request | string
  readonly origin: string
  readonly init: RequestInit
  readonly headers: Headers
  readonly signal: AbortSignal | null
  readonly redirect: NonNullable<RequestInit['redirect']>
  readonly repeatable: boolean
}

/** `fetch` with the session: see `Client.fetch`. */
export function createAuthorizedFetch(
  settings: ClientSettings,
  keeper: SessionKeeper,
  refresher: Refresher,
): typeof fetch {
  const { storage, clock } = settings
  const cookies = storage === null
  /** The last refresh that a 401 has caused, by the monotonic clock. */
  let forced: { readonly sessionId: string; readonly at: number } | null = null

  function noteForced(session: HeldSession | null): void {
    if (session !== null) forced = { sessionId: session.sessionId, at: clock.monotonic() }
  }

  /** Whether what was refused has just been obtained because of a 401, and is not due. */
  function isForcedAgain(refused: HeldSession | null, code: string): boolean {
    // What has happened to the session since is news; a token that is simply not taken stays one.
    if (
      HAPPENED.has(code) ||
      forced === null ||
      !isSame(keeper.current(), refused) ||
      refused?.sessionId !== forced.sessionId
    )
      return false
    const now = clock.monotonic()
    return now < forced.at + FORCED_AGAIN && now < keeper.life().dueAt
  }

  async function force(refused: HeldSession | null): Promise<void> {
    await refresher.refresh(refused)
    noteForced(keeper.current())
  }

  /** The next request refreshes. */
  function distrust(refused: HeldSession | null, code: string): void {
    if (!isSame(keeper.current(), refused) || isForcedAgain(refused, code)) return
    noteForced(refused)
    keeper.distrust(refused)
  }

  /** Refreshes a token that is due. While it is not over yet, a refresh that fails is no reason to fail. */
  async function freshen(signal: AbortSignal | null): Promise<void> {
    if (storage?.sharedAs !== undefined || keeper.state().status === 'unknown') await keeper.look()
    const current = keeper.current()
    if (current === null || clock.monotonic() < keeper.life().dueAt) return
    try {
      await unlessAborted(() => refresher.refresh(current), signal)
    } catch (error) {
      const over = keeper.current() !== null && clock.monotonic() >= keeper.life().endsAt
      if (over || signal?.aborted) throw error
    }
  }

  async function send({ input, init, headers, redirect, signal }: Outgoing): Promise<Response> {
    const access = keeper.current()?.tokens?.access
    const carries = !cookies && access !== undefined
    const own = new Headers(headers)
    if (carries) own.set('Authorization', `Bearer ${access}`)
    const manual = carries && redirect === 'follow'
    const response = await reach(
      () =>
        settings.fetch(input, { ...init, headers: own, ...modes(manual, cookies && init.credentials === undefined) }),
      signal,
    )
    if (manual) refuseRedirect(response)
    return response
  }

  /** Whether there is another session than the one that was refused, after a refresh where it takes one. */
  async function renew(refused: HeldSession | null, code: string, signal: AbortSignal | null): Promise<boolean> {
    const isUnknown = () => cookies && keeper.state().status === 'unknown'
    if (isForcedAgain(refused, code)) return false
    if (isSame(keeper.current(), refused) && (refused !== null || isUnknown())) {
      try {
        await unlessAborted(() => force(refused), signal)
      } catch (error) {
        // Signed out: the answer that we have says it. Everything else says nothing about the session.
        if (keeper.current() === null && !isUnknown()) return false
        throw error
      }
    }
    return keeper.current() !== null
  }

  return async (input, init = {}) => {
    const outgoing = plan(input, init, settings.base)
    const foreign = !settings.apiOrigins.has(outgoing.origin) || outgoing.headers.has('authorization')
    if (foreign) return reach(() => settings.fetch(outgoing.input, init), outgoing.signal)
    await freshen(outgoing.signal)
    const sentWith = keeper.current()
    const response = await send(outgoing)
    const code = response.status === 401 ? await peekCode(response) : null
    if (code === null || !RETRYABLE.has(code)) return response
    // A Request whose body was sent has none any more; not every browser says beforehand whether there is one.
    if (!outgoing.repeatable || (outgoing.input instanceof Request && outgoing.input.bodyUsed)) {
      distrust(sentWith, code)
      return response
    }
    if (!(await renew(sentWith, code, outgoing.signal))) return response
    response.body?.cancel().catch(() => undefined)
    return send(outgoing)
  }
}

function plan(input: string | URL | Request, init: RequestInit, base: string): Outgoing {
  const request = input instanceof Request ? input : null
  const address = parseAddress(request === null ? String(input) : addressOf(request), base)
  return {
    input: request ?? address.href,
    origin: address.origin,
    init,
    headers: new Headers(init.headers ?? request?.headers),
    signal: init.signal ?? request?.signal ?? null,
    redirect: init.redirect ?? request?.redirect ?? 'follow',
    repeatable: isRepeatable(init.body ?? null),
  }
}

function parseAddress(text: string, base: string): URL {
  if (!URL.canParse(text, base)) throw new TypeError('The address of a request is not valid.')
  return new URL(text, base)
}

/** Where `fetch` sends it, whatever an object that was derived from a Request shows. Throws a TypeError for what is none. */
function addressOf(request: Request): string {
  return String(Reflect.get(Request.prototype, 'url', request))
}

/** By what it is known to be: a stream, of which there are several kinds, is gone once it has been sent. */
function isRepeatable(body: unknown): boolean {
  if (body === null || typeof body === 'string' || body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return true
  return body instanceof Blob || body instanceof FormData || body instanceof URLSearchParams
}

function modes(manual: boolean, sameOrigin: boolean): RequestInit {
  return { ...(manual && { redirect: 'manual' as const }), ...(sameOrigin && { credentials: 'same-origin' as const }) }
}

/** Work that is under way goes on, for the others who wait for it. */
async function unlessAborted<T>(work: () => Promise<T>, signal: AbortSignal | null): Promise<T> {
  if (signal === null) return work()
  signal.throwIfAborted()
  let stop = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop)
  })
  return Promise.race([work(), aborted]).finally(() => signal.removeEventListener('abort', stop))
}
