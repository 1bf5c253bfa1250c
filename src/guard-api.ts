import { AsyncLocalStorage } from 'node:async_hooks'
import { setMaxListeners } from 'node:events'
import { ARGUMENTS, checkArguments } from './api-arguments.ts'
import { GatebookError } from './errors.ts'

/** What stands between the callers of the library and the flows. */
export interface ApiGuard {
  /** The same object with every method checked: its arguments, and that nothing begins after `close`. */
  guard<T extends object>(api: T, prefix?: string): T
  /**
   * Lets nothing begin from now on, but for what a call that is under way asks itself (a `claims` callback, a route).
   * Resolves when those calls have ended, without the one that asks to close; after ten seconds in any case.
   */
  close(): Promise<void>
  /** A call that is under way until its work has ended. */
  track<T>(work: () => Promise<T>): Promise<T>
  /** Work of our own in which callbacks of the application may still ask, e.g. for the address of a mail. */
  inside<T>(work: () => Promise<T>): Promise<T>
  /** Refuses everything: there is nothing left to ask. */
  end(): void
  /** Aborted by `close`. */
  readonly closing: AbortSignal
}

/** A call that waits for the application (rows that do not come, a body that does not end) must not hold up the end. */
const PATIENCE_MILLISECONDS = 10_000

interface Call {
  done?: Promise<unknown>
}

type Method = (...given: unknown[]) => unknown

export function createApiGuard(): ApiGuard {
  const underWay = new Set<Call>()
  const within = new AsyncLocalStorage<Call>()
  const ending = new AbortController()
  // Every tail listens.
  setMaxListeners(0, ending.signal)
  let ended = false

  function check(path: string, given: readonly unknown[]): void {
    const { always = false } = ARGUMENTS[path]!
    if (!always && (ended || (ending.signal.aborted && within.getStore() === undefined))) {
      throw new GatebookError('ERR_CLOSED')
    }
    checkArguments(path, given)
  }

  async function track<T>(work: () => Promise<T>): Promise<T> {
    const call: Call = {}
    underWay.add(call)
    const done = within.run(call, work)
    call.done = done
    try {
      return await done
    } finally {
      underWay.delete(call)
    }
  }

  function guardMethod(path: string, method: Method): Method {
    const { atOnce = false, untracked = false } = ARGUMENTS[path]!
    if (atOnce) {
      return (...given) => {
        check(path, given)
        return method(...given)
      }
    }
    if (untracked) {
      // Without a promise of its own: these are asked with every request.
      return (...given) => {
        try {
          check(path, given)
        } catch (error) {
          return Promise.reject(error)
        }
        return method(...given)
      }
    }
    return async (...given) => {
      check(path, given)
      return track(async () => method(...given))
    }
  }

  function guard<T extends object>(api: T, prefix = ''): T {
    const entries = Object.entries(api).map(([name, member]) => {
      if (typeof member === 'function') return [name, guardMethod(prefix + name, member as Method)]
      return [name, typeof member === 'object' && member !== null ? guard(member, `${prefix}${name}.`) : member]
    })
    return Object.fromEntries(entries) as T
  }

  return {
    guard,
    track,
    closing: ending.signal,
    async close() {
      ending.abort()
      const asking = within.getStore()
      const others = [...underWay].filter((call) => call !== asking).map(({ done }) => done)
      let timer: NodeJS.Timeout | undefined
      const timeIsUp = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PATIENCE_MILLISECONDS)
      })
      await Promise.race([Promise.allSettled(others), timeIsUp])
      clearTimeout(timer)
    },
    inside: (work) => within.run({}, work),
    end() {
      ended = true
    },
  }
}
