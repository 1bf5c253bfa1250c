import { type HeldSession, isSame } from './held-session.ts'
import type { Refresher } from './refresher.ts'
import { peekCode, reach, refuseRedirect } from './server-api.ts'
import type { SessionKeeper } from './session-keeper.ts'
import type { ClientSettings } from './settings.ts'

/** Of a 401: another access token may be taken. */
const RETRYABLE: ReadonlySet<string> = new Set([
  'ERR_TOKEN_EXPIRED',
  'ERR_TOKEN_STALE',
  'ERR_TOKEN_REVOKED',
  'ERR_TOKEN_INVALID',
  'ERR_TOKEN_MISSING',
])

/** A request that can be sent with the session, once or, if its body can be sent again, twice. */
interface Outgoing {
  readonly input: Request | URL
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
  async function renew(refused: HeldSession | null, signal: AbortSignal | null): Promise<boolean> {
    const isUnknown = () => cookies && keeper.state().status === 'unknown'
    if (isSame(keeper.current(), refused) && (refused !== null || isUnknown())) {
      try {
        await unlessAborted(() => refresher.refresh(refused), signal)
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
    const foreign = !settings.apiOrigins.has(originOf(outgoing.input)) || outgoing.headers.has('authorization')
    if (foreign) return reach(() => settings.fetch(outgoing.input, init), outgoing.signal)
    await freshen(outgoing.signal)
    const sentWith = keeper.current()
    const response = await send(outgoing)
    if (response.status !== 401 || !RETRYABLE.has((await peekCode(response)) ?? '')) return response
    // A Request whose body was sent has none any more; not every browser says beforehand whether there is one.
    if (!outgoing.repeatable || ('bodyUsed' in outgoing.input && outgoing.input.bodyUsed)) {
      keeper.distrust(sentWith)
      return response
    }
    if (!(await renew(sentWith, outgoing.signal))) return response
    response.body?.cancel().catch(() => undefined)
    return send(outgoing)
  }
}

function plan(input: string | URL | Request, init: RequestInit, base: string): Outgoing {
  const request = typeof input === 'object' && 'url' in input ? input : null
  return {
    input: request ?? parseAddress(String(input), base),
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

function originOf(input: Request | URL): string {
  return 'origin' in input ? input.origin : new URL(input.url).origin
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
