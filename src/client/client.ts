import { createAuthorizedFetch } from './authorized-fetch.ts'
import { ClientError } from './client-error.ts'
import type { HeldSession } from './held-session.ts'
import { startPageTimer } from './page-timer.ts'
import { createRefresher } from './refresher.ts'
import { createServerApi, readProblem } from './server-api.ts'
import { createSessionKeeper } from './session-keeper.ts'
import type { SessionState } from './session-state.ts'
import { resolveSettings } from './settings.ts'
import type { TokenStorage } from './storage.ts'
import type { ClientClock } from './surroundings.ts'
import { createTurns } from './turns.ts'

/** Of a 401 to a log-out: the server knows no such session. Anybody else's 401 says nothing about it. */
const NO_SUCH_SESSION: ReadonlySet<string> = new Set([
  'ERR_REFRESH_INVALID',
  'ERR_REFRESH_ENDED',
  'ERR_REFRESH_EXPIRED',
  'ERR_TOKEN_MISSING',
  'ERR_TOKEN_INVALID',
])

export interface ClientOptions {
  /** Address of the Gatebook server. Default: the origin of the page; has to be given where there is no page. */
  readonly url?: string
  /**
   * `cookies` (default in a browser): no script ever sees a token; Gatebook and the page are on one origin.
   * `tokens` (default on a server): the client keeps the tokens and sends the access token as a Bearer.
   */
  readonly mode?: 'cookies' | 'tokens'
  /** Where tokens are kept; default: memory. One client is for one user, and so is its storage. */
  readonly storage?: TokenStorage
  /** Origins to which the access token may be sent beside that of `url`; default: none. */
  readonly apiOrigins?: readonly string[]
  /** Default: the global one. */
  readonly fetch?: typeof fetch
  /** Called after each change of the state, in order. */
  readonly onChange?: (state: SessionState) => void
  /** @internal For tests: what stands for the clocks of this machine. */
  readonly clock?: ClientClock
}

export interface LoginInput {
  readonly identifier: string
  readonly password: string
}

export interface RegisterInput extends LoginInput {
  readonly invitation?: string
}

/** What `GET /auth/me` says: what stands in the access token. */
export interface Me {
  readonly userId: string
  readonly sessionId: string
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
}

/** One user's session at a Gatebook server. Everything that fails rejects with a ClientError. */
export interface Client {
  /** Throws what the server says, e.g. ERR_LOGIN_REFUSED, ERR_THROTTLED with `retryAfterSeconds`. */
  login(input: LoginInput): Promise<SessionState>
  /** `to-be-confirmed` where the server sends mail first, and nobody is signed in yet. */
  register(input: RegisterInput): Promise<'signed-in' | 'to-be-confirmed'>
  /**
   * Ends this session, the user's other ones, or all of them, at the server and in all tabs. When the server cannot be
   * reached, nothing is changed: a session that lives is not shown as ended.
   */
  logout(scope?: 'current' | 'others' | 'all'): Promise<void>
  /**
   * Like `fetch`, with the session: refreshes before the access token expires, and repeats a request once that is answered 401
   * with one of the ERR_TOKEN_… codes, unless its body is a stream or in a Request, or such an answer has led to a refresh within
   * the last 30 s. Other answers come back as they are. The token goes to `apiOrigins` only; elsewhere the request is sent as it is.
   * What is no Request of this realm is an address, by its text. Not followed with a token: redirects
   * (ERR_REDIRECT_REFUSED). Rejects with ERR_NETWORK where `fetch` rejects with a TypeError.
   */
  readonly fetch: typeof fetch
  /** What this tab knows, without asking anybody. */
  session(): SessionState
  /** Takes a new access token, e.g. after a change of roles. ERR_SIGNED_OUT when nobody is signed in. */
  refresh(): Promise<SessionState>
  /** Asks the server who is signed in; ERR_TOKEN_MISSING and the like when nobody is. */
  me(): Promise<Me>
  /** Waits for a refresh that is under way; afterwards everything is ERR_CLOSED. The session lives on. */
  close(): Promise<void>
}

/** Throws ERR_OPTION_INVALID. */
export function createClient(options: ClientOptions = {}): Client {
  const settings = resolveSettings(options)
  const { storage, clock, surroundings, sharedName } = settings
  const cookies = storage === null
  const api = createServerApi(settings)
  const turns = createTurns(sharedName === null ? null : surroundings.locks, sharedName ?? '')
  const keeper = createSessionKeeper(settings, () => timer.reset())
  const refresher = createRefresher({ keeper, turns, api, clock, cookies })
  const timer = startPageTimer(surroundings.page, keeper, refresher, clock)
  const send = createAuthorizedFetch(settings, keeper, refresher)
  let closed = false
  // For `session()` and the timer; what cannot be read now is told by the first call.
  keeper.look().catch(() => undefined)

  function refuseClosed(): void {
    if (closed) throw new ClientError('ERR_CLOSED')
  }

  /** Log-in or registration; false when the answer is no session. */
  async function enter(path: string, body: object): Promise<boolean> {
    const answer = await api.grant(path, body)
    if (answer !== null) await turns.take(() => keeper.keepNew(answer.grant, answer.age))
    return answer !== null
  }

  /** By the refresh token, which does this however old it is (spec/http.md). */
  async function endCurrent(): Promise<void> {
    const ended = keeper.current()
    if (ended === null && !cookies) return
    await api.logout(ended).catch((error: ClientError) => {
      // There is nothing to end but what is here.
      if (error.status !== 401 || !NO_SUCH_SESSION.has(error.code)) throw error
    })
    await forget(ended)
  }

  async function endSeveral(scope: 'others' | 'all'): Promise<void> {
    const ended = keeper.current()
    if (ended === null && !cookies) throw new ClientError('ERR_SIGNED_OUT')
    const response = await send(`${settings.url}/auth/logout?scope=${scope}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: cookies ? '{"cookies":true}' : '{}',
    })
    if (!response.ok) throw await readProblem(response)
    if (scope === 'all') await forget(ended)
  }

  async function forget(ended: HeldSession | null): Promise<void> {
    await turns.take(() => keeper.end((there) => ended === null || there.sessionId === ended.sessionId, 'logout'))
  }

  async function fetchMe(): Promise<Me> {
    const response = await send(`${settings.url}/auth/me`)
    if (!response.ok) throw await readProblem(response)
    const { user_id: userId, session_id: sessionId, roles, claims } = Object(await response.json().catch(() => null))
    if (typeof userId !== 'string' || typeof sessionId !== 'string') throw new ClientError('ERR_ANSWER_MALFORMED')
    keeper.recognise({ userId, sessionId })
    return { userId, sessionId, roles, claims }
  }

  return {
    async login({ identifier, password }) {
      refuseClosed()
      await keeper.look()
      const deviceToken = keeper.deviceToken()
      await enter('/auth/login', { identifier, password, ...(deviceToken !== null && { device_token: deviceToken }) })
      return keeper.state()
    },
    async register({ identifier, password, invitation }) {
      refuseClosed()
      const body = { identifier, password, ...(invitation !== undefined && { invitation }) }
      return (await enter('/auth/register', body)) ? 'signed-in' : 'to-be-confirmed'
    },
    async logout(scope = 'current') {
      refuseClosed()
      await keeper.look()
      await (scope === 'current' ? endCurrent() : endSeveral(scope))
    },
    async fetch(input, init) {
      refuseClosed()
      return send(input, init)
    },
    session: () => keeper.state(),
    async refresh() {
      refuseClosed()
      await keeper.look()
      await refresher.refresh(keeper.current())
      return keeper.state()
    },
    async me() {
      refuseClosed()
      return fetchMe()
    },
    async close() {
      closed = true
      timer.close()
      await refresher.idle()
      keeper.close()
    },
  }
}
