import { ClientError } from './client-error.ts'
import { type HeldSession, isSame } from './held-session.ts'
import type { ServerApi, TimedGrant } from './server-api.ts'
import { type SessionKeeper, settle } from './session-keeper.ts'
import { type ClientClock, pause } from './surroundings.ts'
import type { Turns } from './turns.ts'

/** What the server says when a session is over, and the reason in case that it does not tell one. */
const ENDINGS: Readonly<Record<string, string>> = {
  ERR_REFRESH_ENDED: 'ended',
  ERR_REFRESH_REUSED: 'refresh-reused',
  ERR_REFRESH_EXPIRED: 'expired',
  ERR_REFRESH_INVALID: 'invalid',
}

/**
 * A refresh whose answer is lost has spent its token all the same; asked again within the 20 s of grace, the server gives the
 * same answer. So it is tried again at once, and not after that: milliseconds before each further try, and since the first.
 */
const PAUSES: readonly number[] = [300, 1500]
const TRY_WITHIN = 10_000

/** Milliseconds before a refresh that has failed is begun anew, unless the server says when. */
const COOLDOWN = 1000

export interface Refresher {
  /**
   * Resolves when the session is another than `seen`, with a token that is not due: by a refresh of this tab, however many ask,
   * or of another one. Rejects with a ClientError; when that means that nobody is signed in, `current()` is null.
   */
  refresh(seen: HeldSession | null): Promise<void>
  /** When a refresh may be begun, in milliseconds of the monotonic clock. */
  notBefore(): number
  /** Waits for the one that is under way. */
  idle(): Promise<void>
}

export interface RefresherParts {
  readonly keeper: SessionKeeper
  readonly turns: Turns
  readonly api: ServerApi
  readonly clock: ClientClock
  /** Whether a session can be there that this tab knows nothing of. */
  readonly cookies: boolean
}

export function createRefresher({ keeper, turns, api, clock, cookies }: RefresherParts): Refresher {
  let flight: Promise<void> | null = null
  let failure: { readonly error: unknown; readonly until: number } | null = null

  /** Nothing to do any more: refreshed, signed in anew or signed out, by whomever. */
  function isDone(seen: HeldSession | null): boolean {
    return !isSame(keeper.current(), seen) && clock.monotonic() < keeper.life().dueAt
  }

  async function run(seen: HeldSession | null): Promise<void> {
    await turns.take(async (waited) => {
      await keeper.look()
      if (waited) await settle(() => keeper.look().then(() => isDone(seen)))
      if (!isDone(seen)) await attempt(keeper.current(), true)
    })
    // Whoever asked wanted a session.
    if (keeper.current() === null) throw new ClientError('ERR_SIGNED_OUT', { reason: keeper.state().reason })
  }

  async function attempt(from: HeldSession | null, again: boolean): Promise<void> {
    if (from === null && !(cookies && keeper.state().status === 'unknown')) return
    if (failure !== null && clock.monotonic() < failure.until) throw failure.error
    try {
      const { grant, age } = await exchange(from)
      failure = null
      await keeper.keepNext(from, grant, age)
    } catch (error) {
      const code = error instanceof ClientError && error.status === 401 ? error.code : ''
      const superseded = code === 'ERR_REFRESH_SUPERSEDED'
      const ending = Object.hasOwn(ENDINGS, code)
      if (superseded || ending) {
        // Somebody else may have got the newer one, and be about to say so.
        const moved = await settle(() => keeper.look().then(() => isNewer(from)))
        if (moved && isDone(from)) return
        if (again && (moved || (superseded && cookies))) return attempt(keeper.current(), false)
        if (ending) await keeper.end((there) => isMeant(from, there), reasonOf(error as ClientError))
      }
      if (!ending) remember(error)
      throw error
    }
  }

  function isNewer(from: HeldSession | null): boolean {
    const now = keeper.current()
    return now !== null && !isMeant(from, now)
  }

  /** Honours Retry-After, and keeps many requests that fail from asking one after the other. */
  function remember(error: unknown): void {
    failure = { error, until: clock.monotonic() + Math.max(COOLDOWN, secondsOf(error) * 1000) }
  }

  async function exchange(from: HeldSession | null): Promise<TimedGrant> {
    const begun = clock.monotonic()
    for (const before of PAUSES) {
      try {
        return await api.refresh(from)
      } catch (error) {
        if (!mayBeLost(error) || clock.monotonic() - begun > TRY_WITHIN) throw error
        await pause(Math.max(before * (0.5 + Math.random()), secondsOf(error) * 1000))
      }
    }
    return api.refresh(from)
  }

  return {
    refresh(seen) {
      if (isDone(seen) && keeper.current() !== null) return Promise.resolve()
      flight ??= run(seen).finally(() => {
        flight = null
      })
      return flight
    },
    notBefore: () => failure?.until ?? Number.NEGATIVE_INFINITY,
    idle: () => (flight ?? Promise.resolve()).catch(() => undefined),
  }
}

/** Whether what is there is what was refused. The same token can have been got twice, by the grace of the server. */
function isMeant(from: HeldSession | null, there: HeldSession): boolean {
  return from?.tokens ? from.tokens.refresh === there.tokens?.refresh : isSame(from, there)
}

/** Whether the token can have been spent without the answer having arrived. */
function mayBeLost(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.code === 'ERR_REDIRECT_REFUSED') return false
  return error.status === null || error.status < 300 || (error.status >= 500 && secondsOf(error) <= 1)
}

/** After which the server wants to be asked again. */
function secondsOf(error: unknown): number {
  return error instanceof ClientError ? (error.retryAfterSeconds ?? 0) : 0
}

function reasonOf(error: ClientError): string {
  return error.reason ?? ENDINGS[error.code] ?? 'ended'
}
