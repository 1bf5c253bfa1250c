import { ClientError } from './client-error.ts'
import type { ClientClock } from './surroundings.ts'

/** Seconds; far above what a server can be set to (`accessTokenSeconds`). */
const LONGEST_LIFE = 86_400

export interface HeldTokens {
  readonly access: string
  readonly refresh: string
}

/** A session as this client knows it. */
export interface HeldSession {
  readonly sessionId: string
  readonly userId: string
  /** Grows with each refresh of this session, so that of two the newer one can be told. */
  readonly step: number
  /** Life of the access token in seconds; null where nobody has said it to this tab. */
  readonly expiresIn: number | null
  /** When the access token was asked for, in epoch milliseconds of this machine. */
  readonly obtainedAt: number
  /** Null in cookies mode, where no script sees them. */
  readonly tokens: HeldTokens | null
}

/** Whether both were got by the same log-in or refresh. */
export function isSame(a: HeldSession | null, b: HeldSession | null): boolean {
  if (a === null || b === null) return a === b
  return a.sessionId === b.sessionId && a.step === b.step && a.obtainedAt === b.obtainedAt
}

/** When an access token is to be refreshed and when it is over, in milliseconds of the monotonic clock. */
export interface Life {
  readonly dueAt: number
  readonly endsAt: number
}

/**
 * Due at a random point of the last 10 to 20 % of its life, so that tabs and processes do not come at the same instant.
 * `age` in milliseconds; a negative one means that the clock of this machine has been put back, and nothing is known.
 */
export function measureLife({ expiresIn }: HeldSession, age: number, clock: ClientClock): Life {
  if (expiresIn === null) return { dueAt: Number.POSITIVE_INFINITY, endsAt: Number.POSITIVE_INFINITY }
  const life = expiresIn * 1000
  const endsAt = clock.monotonic() + (age < 0 ? 0 : Math.max(0, life - age))
  return { endsAt, dueAt: endsAt - life * (0.1 + 0.1 * Math.random()) }
}

/** What a log-in, a registration or a refresh was answered with. */
export interface Grant {
  readonly session: Omit<HeldSession, 'step'>
  /** Null in cookies mode, and where the server knows no device. */
  readonly deviceToken: string | null
}

/** Reads the answer; `cookies` when the tokens are in cookies. Throws ERR_ANSWER_MALFORMED. */
export function parseGrant(answer: unknown, obtainedAt: number, cookies: boolean): Grant {
  const { session_id, user_id, expires_in, access_token, refresh_token, device_token } = Object(answer)
  const named = isText(session_id) && isText(user_id) && isLife(expires_in)
  if (!named || !(cookies || (isText(access_token) && isText(refresh_token)))) {
    throw new ClientError('ERR_ANSWER_MALFORMED')
  }
  return {
    session: {
      sessionId: session_id,
      userId: user_id,
      expiresIn: expires_in,
      obtainedAt,
      tokens: cookies ? null : { access: access_token, refresh: refresh_token },
    },
    deviceToken: !cookies && isText(device_token) ? device_token : null,
  }
}

/** Of something that was stored or sent by another tab, maybe of another version; null for what is none. */
export function parseHeldSession(value: unknown): HeldSession | null {
  const { sessionId, userId, step, expiresIn, obtainedAt, tokens } = Object(value)
  const named = isText(sessionId) && isText(userId) && Number.isSafeInteger(step) && Number.isFinite(obtainedAt)
  if (!named || !(expiresIn === null || isLife(expiresIn))) return null
  const held = { sessionId, userId, step, expiresIn, obtainedAt }
  if (tokens === null) return { ...held, tokens }
  const { access, refresh } = Object(tokens)
  return isText(access) && isText(refresh) ? { ...held, tokens: { access, refresh } } : null
}

/** JSON knows numbers such as 1e999, which is infinite: no clock can be set by it. */
function isLife(value: unknown): value is number {
  return typeof value === 'number' && value >= 1 && value <= LONGEST_LIFE
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
