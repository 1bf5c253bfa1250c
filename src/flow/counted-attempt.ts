import { GatebookError } from '../errors.ts'
import type { NewEvent } from '../event/event.ts'
import type { Transaction } from '../store/transaction.ts'
import type { AttemptSource, Refusal, Reservation } from '../throttle/throttle.ts'
import type { FlowParts } from './parts.ts'

/** An attempt that counts as a failure until it succeeds. */
export interface CountedAttempt {
  /** Leaves the refusal, and `throttle.locked` for each counter whose last free failure this was. */
  fail(refusal: NewEvent): Promise<void>
  /** The same in a transaction that has found the reason. */
  failIn(tx: Transaction, refusal: NewEvent): Promise<void>
  /** For a success that stays counted: `throttle.locked` where it was the last one. `about` tells who and from where. */
  keepIn(tx: Transaction, about: NewEvent): Promise<void>
  /** Takes the failure back where nothing came of the attempt for a reason that is not the caller's. */
  withdraw(): Promise<void>
  /** Takes the failure back, in this transaction and from the address once it has committed. */
  release(tx: Transaction, outcome: 'succeeded' | 'withdrawn'): Promise<void>
}

/**
 * Counts an attempt before anything is looked at. When it is refused, leaves `refusal` (its reason is `throttled`) and
 * throws ERR_THROTTLED.
 */
export async function countAttempt(
  parts: FlowParts,
  source: AttemptSource,
  refusal: NewEvent,
): Promise<CountedAttempt> {
  const outcome = await reserve(parts, source, refusal)
  if ('scope' in outcome) throw throttled(outcome)
  return outcome
}

/**
 * The same for what sends mail. Null when this account has been sent enough already: whoever asks is told what everybody
 * is told, and only the log says that nothing was sent.
 */
export async function countMail(
  parts: FlowParts,
  source: AttemptSource,
  refusal: NewEvent,
): Promise<CountedAttempt | null> {
  const outcome = await reserve(parts, source, refusal)
  if (!('scope' in outcome)) return outcome
  if (outcome.scope === 'mail') return null
  throw throttled(outcome)
}

async function reserve(parts: FlowParts, source: AttemptSource, refusal: NewEvent): Promise<CountedAttempt | Refusal> {
  const outcome = await parts.throttle.reserve(source)
  if ('reservation' in outcome) return countedAttempt(parts, outcome.reservation)
  const { scope, retryAfterSeconds } = outcome.refusal
  await parts.refusals.append({ ...refusal, data: { scope, retry_after: retryAfterSeconds } })
  return outcome.refusal
}

function throttled({ retryAfterSeconds }: Refusal): GatebookError {
  return new GatebookError('ERR_THROTTLED', { retryAfterSeconds })
}

function countedAttempt(parts: FlowParts, reservation: Reservation): CountedAttempt {
  const { throttle, refusals, log } = parts
  return {
    fail: (event) => refusals.append(event, lockEvents(reservation, event)),
    async failIn(tx, event) {
      await log.append(tx, [event, ...lockEvents(reservation, event)])
    },
    async keepIn(tx, about) {
      await log.append(tx, lockEvents(reservation, about))
    },
    withdraw: () => parts.store.transaction((tx) => throttle.release(tx, reservation, 'withdrawn')),
    release: (tx, how) => throttle.release(tx, reservation, how),
  }
}

function lockEvents({ locks }: Reservation, refusal: NewEvent): NewEvent[] {
  const { reason: _reason, data: _data, ...rest } = refusal
  return locks.map(({ scope, until }) => ({
    ...rest,
    type: 'throttle.locked',
    outcome: 'success',
    data: { scope, until },
  }))
}
