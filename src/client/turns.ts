import type { TabLocks } from './surroundings.ts'

/** Work on the session, one after the other. */
export interface Turns {
  /** `waited` when another tab was at it before, and may have done the work. MUST NOT be called from within `work`. */
  take<T>(work: (waited: boolean) => Promise<T>): Promise<T>
}

/**
 * Milliseconds that a tab waits for another one, which holds the lock for one refresh with its tries at most. Then it goes
 * on without: a tab that the browser has put to sleep must not stop the others, and the grace period of the server makes
 * two refreshes at once harmless.
 */
const PATIENCE = 20_000

/** Within this client always; under a Web Lock of this name also across tabs, where there are any. */
export function createTurns(locks: TabLocks | null, name: string): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return {
    take(work) {
      const turn = last.then(() => (locks === null ? work(false) : takeLock(locks, name, work)))
      last = turn.catch(() => undefined)
      return turn
    },
  }
}

async function takeLock<T>(locks: TabLocks, name: string, work: (waited: boolean) => Promise<T>): Promise<T> {
  let begun = false
  const begin = async (waited: boolean): Promise<{ readonly result: T }> => {
    begun = true
    return { result: await work(waited) }
  }
  try {
    const atOnce = await locks.request(name, { ifAvailable: true }, async (lock) =>
      lock === null ? null : begin(false),
    )
    const done = atOnce ?? (await locks.request(name, { signal: AbortSignal.timeout(PATIENCE) }, () => begin(true)))
    return done.result
  } catch (error) {
    // Out of patience, or a place where locks are refused, such as a frame without an origin.
    if (begun) throw error
    return work(true)
  }
}
