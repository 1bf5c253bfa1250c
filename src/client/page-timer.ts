import type { Refresher } from './refresher.ts'
import type { SessionKeeper } from './session-keeper.ts'
import type { ClientClock, Page } from './surroundings.ts'

/** Milliseconds after a refresh that has failed, and the longest that a browser can wait. */
const AFTER_FAILURE = 30_000
const LONGEST = 2 ** 31 - 1

/** Refreshes before expiry while somebody looks at the page. */
export interface PageTimer {
  /** The session or its life is another. */
  reset(): void
  close(): void
}

/** Where there is no page, a request refreshes; a timer would only keep a process alive. */
export function startPageTimer(
  page: Page | null,
  keeper: SessionKeeper,
  refresher: Refresher,
  clock: ClientClock,
): PageTimer {
  if (page === null) return { reset() {}, close() {} }
  let timer: ReturnType<typeof setTimeout> | undefined
  let closed = false

  function schedule(earliest: number): void {
    clearTimeout(timer)
    // The answer to a refresh may come when the client is closed already.
    if (closed) return
    const { dueAt } = keeper.life()
    if (page?.visibilityState !== 'visible' || keeper.current() === null || dueAt === Number.POSITIVE_INFINITY) return
    timer = setTimeout(refresh, Math.min(LONGEST, Math.max(0, dueAt - clock.monotonic(), earliest)))
  }

  function refresh(): void {
    // Nobody waits for this one: who needs the session learns from the next request what is wrong with it.
    refresher.refresh(keeper.current()).catch(() => {
      schedule(Math.max(AFTER_FAILURE, refresher.notBefore() - clock.monotonic()))
    })
  }

  /** A page that was hidden may have been asleep, and have missed what others said. */
  function onVisibilityChange(): void {
    keeper.look().catch(() => undefined)
    schedule(0)
  }

  page.addEventListener('visibilitychange', onVisibilityChange)
  return {
    reset: () => schedule(0),
    close() {
      closed = true
      clearTimeout(timer)
      page.removeEventListener('visibilitychange', onVisibilityChange)
    },
  }
}
