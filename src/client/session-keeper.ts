import { ClientError } from './client-error.ts'
import { type Grant, type HeldSession, isSame, type Life, measureLife } from './held-session.ts'
import { type SessionState, signedIn, signedOut, UNKNOWN } from './session-state.ts'
import type { ClientSettings } from './settings.ts'
import { parseStoredState, type StoredState } from './storage.ts'
import { pause } from './surroundings.ts'
import { openTabChannel, type TabMessage } from './tab-channel.ts'

/**
 * Knows who is signed in, here and in the other tabs. In tokens mode the storage is right and this is a copy of it; in cookies
 * mode the browser is right, and this is what answers and other tabs have said.
 *
 * `keepNew`, `keepNext` and `end` write and MUST be called in turn (see `turns.ts`). Each looks at what is there before it
 * writes, so that also without locks nothing newer is lost.
 */
export interface SessionKeeper {
  /** What this tab goes by; null when nobody is signed in, or when nothing is known yet. */
  current(): HeldSession | null
  state(): SessionState
  deviceToken(): string | null
  /** When to refresh and when the access token is over; both infinite where that is not known. */
  life(): Life
  /** Takes what is stored. `reason` is why, in case that nothing is there any more. Does nothing in cookies mode. */
  look(reason?: string | null): Promise<void>
  /** After a log-in. */
  keepNew(grant: Grant, age: number): Promise<void>
  /** After a refresh of `from`; null where that was not known. Dropped when `from` is not the session any more. */
  keepNext(from: HeldSession | null, grant: Grant, age: number): Promise<void>
  /** Signs out here and in the other tabs, unless what is there meanwhile is not what `isMeant` says. */
  end(isMeant: (session: HeldSession) => boolean, reason: string): Promise<void>
  /** In cookies mode, after the server has said whose session it is. */
  recognise(session: { readonly sessionId: string; readonly userId: string }): void
  /** The server has refused the access token of this session: it is over, whatever the clock says. */
  distrust(session: HeldSession | null): void
  close(): void
}

/** `onMove` is called whenever the session or its life is another. */
export function createSessionKeeper(settings: ClientSettings, onMove: () => void): SessionKeeper {
  const { storage, clock, surroundings, sharedName } = settings
  let held: HeldSession | null = null
  let life = NO_LIFE
  let state = UNKNOWN
  let deviceToken: string | null = null
  /** Counts what was taken and dropped, so that something older, read meanwhile, does not undo it. */
  let moves = 0
  const channel = openTabChannel(sharedName === null ? null : surroundings.openChannel, sharedName ?? '', (message) => {
    // What cannot be read now is read before the next request.
    hear(message).catch(() => undefined)
  })

  function take(session: HeldSession, age: number): void {
    move(session, measureLife(session, age, clock), signedIn(session))
  }

  function drop(reason: string | null): void {
    move(null, NO_LIFE, signedOut(reason))
  }

  function move(session: HeldSession | null, itsLife: Life, next: SessionState): void {
    moves += 1
    held = session
    life = itsLife
    const before = state
    state = Object.freeze(next)
    onMove()
    if (JSON.stringify(before) !== JSON.stringify(next)) queueMicrotask(() => settings.onChange?.(next))
  }

  async function read(): Promise<StoredState> {
    return parseStoredState(await onStorage(() => storage?.load()))
  }

  async function write(session: HeldSession | null): Promise<void> {
    const empty = session === null && deviceToken === null
    await onStorage(() => (empty ? storage?.clear() : storage?.save({ session, deviceToken })))
  }

  async function look(reason: string | null = null): Promise<void> {
    if (storage === null) return
    const before = moves
    const stored = await read()
    if (moves !== before) return
    deviceToken = stored.deviceToken
    const found = stored.session
    if (found === null) {
      if (held !== null || state.status === 'unknown') drop(reason)
    } else if (held === null || found.sessionId !== held.sessionId || found.step > held.step) {
      take(found, clock.wall() - found.obtainedAt)
    }
  }

  /** What other tabs go by, too: the storage, or what they and we have said. */
  async function there(): Promise<StoredState> {
    return storage === null ? { session: held, deviceToken } : read()
  }

  async function hear(message: TabMessage): Promise<void> {
    if (storage !== null) await lookFor(message)
    else if (message.kind === 'session') take(message.session, clock.wall() - message.session.obtainedAt)
    else if (held === null || message.sessionId === null || held.sessionId === message.sessionId) drop(message.reason)
  }

  async function lookFor(message: TabMessage): Promise<void> {
    await settle(async () => {
      await look(message.kind === 'ended' ? message.reason : null)
      if (message.kind === 'ended') return held === null || held.sessionId !== message.sessionId
      return held !== null && held.sessionId === message.session.sessionId && held.step >= message.session.step
    })
  }

  return {
    current: () => held,
    state: () => state,
    deviceToken: () => deviceToken,
    life: () => life,
    look,
    async keepNew(grant, age) {
      const session = { ...grant.session, step: 0 }
      deviceToken = grant.deviceToken ?? (await there()).deviceToken
      await write(session)
      take(session, age)
      channel.send({ kind: 'session', session })
    },
    async keepNext(from, grant, age) {
      const session = { ...grant.session, step: (from?.step ?? 0) + 1 }
      const { session: now } = await there()
      // Signed out or in again meanwhile, or, where there are no locks, refreshed by another tab as well.
      if (from !== null && now?.sessionId !== from.sessionId) return look()
      if (storage !== null && now !== null && now.step >= session.step) return look()
      take(session, age)
      deviceToken = grant.deviceToken ?? deviceToken
      await write(session)
      channel.send({ kind: 'session', session })
    },
    async end(isMeant, reason) {
      const { session: now, deviceToken: device } = await there()
      if (now !== null && !isMeant(now)) return look()
      deviceToken = device
      if (now !== null) await write(null)
      const sessionId = held?.sessionId ?? now?.sessionId ?? null
      drop(reason)
      channel.send({ kind: 'ended', sessionId, reason })
    },
    recognise({ sessionId, userId }) {
      if (storage !== null || held?.sessionId === sessionId) return
      const known = { sessionId, userId, step: 0, expiresIn: null, obtainedAt: clock.wall(), tokens: null }
      take(known, 0)
    },
    distrust(session) {
      if (held === null || !isSame(held, session)) return
      life = { dueAt: Number.NEGATIVE_INFINITY, endsAt: Number.NEGATIVE_INFINITY }
      onMove()
    },
    close: () => channel.close(),
  }
}

const NO_LIFE: Life = { dueAt: Number.POSITIVE_INFINITY, endsAt: Number.POSITIVE_INFINITY }

async function onStorage<T>(act: () => T | Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw new ClientError('ERR_STORAGE', { cause: error })
  }
}

/**
 * Waits up to a tenth of a second for what another tab has already done to be seen here: browsers promise no order between a
 * lock that is handed over, a message and a storage. False when it does not come.
 */
export async function settle(check: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 10; tries += 1) {
    if (await check()) return true
    await pause(10)
  }
  return check()
}
