import { checkArguments } from './api-arguments.ts'
import { GatebookError } from './errors.ts'

/** What stands between the callers of the library and the flows. */
export interface ApiGuard {
  /** The same object with every method checked: its arguments, and that nothing is asked after `close`. */
  guard<T extends object>(api: T, prefix?: string): T
  /** Refuses from now on; resolves when the calls that are under way have ended. */
  close(): Promise<void>
  /** Aborted by `close`. */
  readonly closing: AbortSignal
}

/** Answer at once, or throw; every other method rejects. */
const AT_ONCE: ReadonlySet<string> = new Set(['handles', 'contextOf', 'tokens.jwks', 'log.tail'])
/** Can be asked of a Gatebook that is closed, and say so themselves. */
const ALWAYS: ReadonlySet<string> = new Set(['handles', 'contextOf', 'fetch', 'ready', 'close'])

type Method = (...given: unknown[]) => unknown

export function createApiGuard(): ApiGuard {
  const underWay = new Set<Promise<unknown>>()
  const ending = new AbortController()

  function check(path: string, given: readonly unknown[]): void {
    if (ending.signal.aborted && !ALWAYS.has(path)) throw new GatebookError('ERR_CLOSED')
    checkArguments(path, given)
  }

  function guardMethod(path: string, method: Method): Method {
    if (AT_ONCE.has(path)) {
      return (...given) => {
        check(path, given)
        return method(...given)
      }
    }
    if (path === 'close') return method
    // Asked for every request, and nothing has to wait for it.
    if (path === 'tokens.verify') {
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
      const call = Promise.resolve(method(...given))
      underWay.add(call)
      try {
        return await call
      } finally {
        underWay.delete(call)
      }
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
    closing: ending.signal,
    async close() {
      ending.abort()
      await Promise.allSettled(underWay)
    },
  }
}
