import { availableParallelism } from 'node:os'
import { GatebookError } from '../errors.ts'

export interface HashQueueOptions {
  /** Hashes computed at the same time, at least 1. See `defaultHashConcurrency`. */
  readonly concurrency: number
  /** Places in the line beyond those that can be computed at once, at least 0. */
  readonly limit: number
  /** Monotonic milliseconds. Default `performance.now`. */
  readonly now?: () => number
}

/**
 * A place in the line, from `reserve` until it is given back by `run` or `release`. Whoever reserves MUST do one of
 * the two on every path, or the place is lost for the life of the process:
 *
 *     const slot = queue.reserve()
 *     try { ...; await slot.run(() => hasher.verify(...)) } finally { slot.release() }
 */
export interface HashSlot {
  /**
   * Waits for its turn, runs `work` and gives the place back, also when `work` throws. Turns go by the order of the
   * calls of `run`, not of `reserve`: a caller that is still at the database holds nobody up. Once per slot.
   */
  run<T>(work: () => T | Promise<T>): Promise<T>
  /** Gives the place back unused. Does nothing when it was given back before or `run` has been called. */
  release(): void
}

export interface HashQueueStats {
  /** Computing now, or just called to. */
  readonly running: number
  /** Places held by callers that are not computing yet. */
  readonly waiting: number
  /** Refused since the start. */
  readonly refused: number
}

export interface HashQueue {
  /**
   * Takes a place, synchronously, so that a caller learns that there is none before it touches the database.
   *
   * @throws GatebookError `ERR_OVERLOADED` with `retryAfterSeconds` when `concurrency + limit` places are held.
   */
  reserve(): HashSlot
  stats(): HashQueueStats
}

// Before the first hash has been timed: one at OWASP's parameters on a slow machine.
const INITIAL_RUN_MS = 50
const NEWEST_RUN_WEIGHT = 0.1

/**
 * A bounded gate around password hashing, so that a flood of log-ins is refused early instead of starving everybody.
 *
 * @throws GatebookError `ERR_OPTION_INVALID`
 */
export function createHashQueue(options: HashQueueOptions): HashQueue {
  const { concurrency, limit, now = () => performance.now() } = options
  requireInteger('concurrency', concurrency, 1)
  requireInteger('limit', limit, 0)

  const line: (() => void)[] = []
  let held = 0
  let running = 0
  let refused = 0
  let averageRunMs = INITIAL_RUN_MS

  const enter = async (): Promise<void> => {
    if (running < concurrency) running += 1
    else await new Promise<void>((resolve) => line.push(resolve))
  }

  const leave = (): void => {
    // The turn is handed over, not freed: a newcomer cannot slip in between.
    const next = line.shift()
    if (next === undefined) running -= 1
    else next()
  }

  const secondsUntilDrained = (): number => Math.max(1, Math.ceil(((held / concurrency) * averageRunMs) / 1000))

  return {
    reserve() {
      if (held >= concurrency + limit) {
        refused += 1
        throw new GatebookError('ERR_OVERLOADED', { retryAfterSeconds: secondsUntilDrained() })
      }
      held += 1
      let spent = false

      return {
        async run(work) {
          if (spent) throw new Error('A hash slot runs once and not after its release.')
          spent = true
          await enter()
          const startedAt = now()
          try {
            return await work()
          } finally {
            averageRunMs += (now() - startedAt - averageRunMs) * NEWEST_RUN_WEIGHT
            held -= 1
            leave()
          }
        },

        release() {
          if (spent) return
          spent = true
          held -= 1
        },
      }
    },

    stats: () => ({ running, waiting: held - running, refused }),
  }
}

export interface Machine {
  /** Processors that this process may use. */
  readonly cores: number
  /** Threads of libuv's pool, where hashes are computed together with file access, DNS look-ups and compression. */
  readonly poolThreads: number
}

/**
 * One core and one libuv thread stay free for everybody who is not logging in: with every core hashing, the event loop
 * waits for a time slice on each request, and with every pool thread hashing, a file read or a DNS look-up waits behind
 * a line of passwords. At least 1, whatever the machine.
 */
export function defaultHashConcurrency(machine: Partial<Machine> = {}): number {
  const { cores = availableParallelism(), poolThreads = configuredPoolThreads(process.env.UV_THREADPOOL_SIZE) } =
    machine
  return Math.max(1, Math.min(cores - 1, poolThreads - 1))
}

// As libuv reads it (docs.libuv.org, "Thread pool work scheduling"): 4 unless set, from 1 to 1024.
function configuredPoolThreads(value: string | undefined): number {
  if (value === undefined) return 4
  const threads = Number.parseInt(value, 10)
  return Number.isNaN(threads) ? 1 : Math.min(1024, Math.max(1, threads))
}

function requireInteger(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `hash queue ${name} must be an integer of at least ${min}, not ${value}`,
    })
  }
}
