import { randomBytes } from 'node:crypto'

/** What one client has been told about one session. */
export interface HeldSession {
  readonly id: string
  readonly userId: string
  refreshToken: string
  /** Refreshes that were answered 200. */
  counter: number
  /** Live or ended as far as the client was told; `asking`: the server was killed with a request about it under way. */
  state: 'live' | 'ended' | 'asking-refresh' | 'asking-logout'
}

/** Everything that was answered with a 2xx. */
export interface Ledger {
  readonly userIds: string[]
  /** What they log in with. */
  readonly identifiers: string[]
  readonly sessions: HeldSession[]
  answers: number
  /** Answers that are wrong whatever happens to the server. */
  readonly problems: string[]
  /** Codes of refusals that are right while something is broken on purpose, with how many there were. */
  readonly excused: Map<string, number>
}

export function createLedger(excused: readonly string[] = []): Ledger {
  return {
    userIds: [],
    identifiers: [],
    sessions: [],
    answers: 0,
    problems: [],
    excused: new Map(excused.map((code) => [code, 0])),
  }
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly session_id: string
  readonly user_id: string
}

const PASSWORD = 'a long enough pass phrase'

/** Null: no answer came. */
async function post(url: string, path: string, body: object): Promise<{ status: number; text: string } | null> {
  try {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    // A status line without the whole body is not an answer.
    return { status: response.status, text: await response.text() }
  } catch {
    return null
  }
}

/**
 * One client that registers or logs in, refreshes and logs out, drawn by lot, until there is no answer any more. It writes
 * an answer down before it asks the next thing.
 */
export async function runClient(url: string, ledger: Ledger, goesOn: () => boolean = () => true): Promise<void> {
  while (goesOn()) {
    const session = Math.random() < 0.4 ? await register(url, ledger) : await logIn(url, ledger)
    if (session === null) return
    while (Math.random() < 0.5) if (!(await refresh(url, ledger, session))) return
    // The others go on, so that after a kill there are sessions that must.
    if (Math.random() < 0.6 && !(await logOut(url, ledger, session))) return
  }
}

/** Goes on with another session after each answer that is missing or excused, until `goesOn` says no. */
export async function runPatientClient(url: string, ledger: Ledger, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await runClient(url, ledger, goesOn)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function register(url: string, ledger: Ledger): Promise<HeldSession | null> {
  const identifier = `${randomBytes(8).toString('hex')}@example.test`
  const session = await start(url, ledger, '/auth/register', 201, identifier)
  if (session === null) return null
  ledger.userIds.push(session.userId)
  ledger.identifiers.push(identifier)
  return session
}

async function logIn(url: string, ledger: Ledger): Promise<HeldSession | null> {
  const identifier = ledger.identifiers[Math.floor(Math.random() * ledger.identifiers.length)]
  return identifier === undefined ? register(url, ledger) : start(url, ledger, '/auth/login', 200, identifier)
}

async function start(
  url: string,
  ledger: Ledger,
  path: string,
  wanted: number,
  identifier: string,
): Promise<HeldSession | null> {
  const answer = await post(url, path, { identifier, password: PASSWORD })
  if (!note(ledger, path, answer, wanted)) return null
  const { session_id: id, user_id: userId, refresh_token: refreshToken } = JSON.parse(answer.text) as Tokens
  const session: HeldSession = { id, userId, refreshToken, counter: 0, state: 'live' }
  ledger.sessions.push(session)
  return session
}

/** False when there was no answer. Also for a refresh whose answer was lost: the same token is good for the same successor. */
export async function refresh(url: string, ledger: Ledger, session: HeldSession): Promise<boolean> {
  session.state = 'asking-refresh'
  const answer = await post(url, '/auth/refresh', { refresh_token: session.refreshToken })
  if (!note(ledger, '/auth/refresh', answer, 200)) return false
  session.refreshToken = (JSON.parse(answer.text) as Tokens).refresh_token
  session.counter += 1
  session.state = 'live'
  return true
}

async function logOut(url: string, ledger: Ledger, session: HeldSession): Promise<boolean> {
  session.state = 'asking-logout'
  const answer = await post(url, '/auth/logout', { refresh_token: session.refreshToken })
  if (!note(ledger, '/auth/logout', answer, 204)) return false
  session.state = 'ended'
  return true
}

function note(
  ledger: Ledger,
  path: string,
  answer: { status: number; text: string } | null,
  wanted: number,
): answer is { status: number; text: string } {
  if (answer === null) return false
  ledger.answers += 1
  if (answer.status === wanted) return true
  const code = answer.status === 503 ? (JSON.parse(answer.text) as { code: string }).code : ''
  const before = ledger.excused.get(code)
  if (before !== undefined) {
    ledger.excused.set(code, before + 1)
    return false
  }
  ledger.problems.push(`${path} was answered ${answer.status}: ${answer.text}`)
  return false
}
