import { isGatebookError } from '../errors.ts'
import type { NoteSignature } from '../proof/note.ts'
import { ProofError } from '../proof/proof-error.ts'
import { type Anchor, AnchorError, AnchorForkError, type Published } from './anchor.ts'
import { type CheckpointPlace, comparePlaces } from './checkpoint-row.ts'

/** A checkpoint on its way to the anchors. Its note gets the signatures of witnesses as they come. */
export interface Round extends CheckpointPlace {
  note: string
  readonly checkpoint: Published['checkpoint']
  readonly proveConsistency: Published['proveConsistency']
}

export interface AnchorStatus {
  readonly name: string
  /** `behind`: the newest checkpoint is on its way. `forked`: it has another history of the log. */
  readonly state: 'current' | 'behind' | 'failing' | 'forked'
  /** What it has; epoch and size are 0 while it has nothing. */
  readonly epoch: number
  readonly size: number
  /** Epoch milliseconds; null while it has nothing. */
  readonly anchoredAt: number | null
  /** Of the last failure; null when something was kept since. */
  readonly failedAt: number | null
  readonly failure: string | null
}

export interface AnchorTiming {
  /** Milliseconds before the second attempt, and the longest between two. Between them it doubles. */
  readonly retry: readonly [number, number]
  /** Milliseconds for one attempt. */
  readonly limit: number
}

export interface AnchorLaneOptions {
  readonly anchor: Anchor
  readonly timing: AnchorTiming
  now(): number
  /** What other processes have published since; null when this is the newest. */
  findNewer(round: Round): Promise<Round | null>
  /** Must not throw. */
  onAnchored(round: Round, cosignatures: readonly NoteSignature[]): Promise<void>
  /** Must not throw. `first`: of this outage, or the first that is a fork. */
  onFailed(failure: string, what: { readonly forked: boolean; readonly first: boolean }): Promise<void>
  /** Something was kept again. */
  onRecovered(): void
}

/** One anchor: one attempt at a time, always with the newest checkpoint, and the longer between two the more have failed. */
export interface AnchorLane {
  readonly cosigns: boolean
  /** Says that this one will be offered. */
  expect(place: CheckpointPlace): void
  /** Resolves when it has been tried, or at once while an outage lasts. */
  offer(round: Round): Promise<void>
  /** What was known of it before this process. */
  resume(before: Omit<AnchorStatus, 'name' | 'state'>): void
  /** Tries at once what waits. */
  flush(): Promise<void>
  status(): AnchorStatus
  /** Nothing is tried any more. Resolves when the attempt that is under way is over. */
  stop(): Promise<void>
  /** Ends the attempt that is under way, as far as the anchor lets itself be ended. */
  abort(): void
}

/** After its time was over, an anchor has so long to give up before it is said to hang. */
export const SETTLE_MILLISECONDS = 5000
const FAILURE_LENGTH = 500

export function createAnchorLane(options: AnchorLaneOptions): AnchorLane {
  const { anchor, timing, now, findNewer, onAnchored, onFailed, onRecovered } = options
  let status: Omit<AnchorStatus, 'name' | 'state'> = {
    epoch: 0,
    size: 0,
    anchoredAt: null,
    failedAt: null,
    failure: null,
  }
  let newest: CheckpointPlace = { epoch: 0, size: 0 }
  let waiting: Round | null = null
  let underWay: Promise<void> | null = null
  let ending: AbortController | null = null
  let timer: NodeJS.Timeout | undefined
  let failures = 0
  let forked = false
  let stopped = false

  function start(): void {
    if (underWay !== null || waiting === null || stopped) return
    underWay = work().finally(() => {
      underWay = null
      if (timer === undefined) start()
    })
  }

  async function work(): Promise<void> {
    while (waiting !== null && !stopped) {
      let round: Round = waiting
      waiting = null
      // While it failed, somebody else may have published, and have had more luck.
      if (failures > 0) round = (await findNewer(round).catch(() => null)) ?? round
      if (await attempt(round)) continue
      waiting ??= round
      schedule()
      return
    }
  }

  function schedule(): void {
    if (stopped) return
    const [first, longest] = timing.retry
    const delay = Math.min(longest, first * 2 ** Math.min(failures - 1, 30))
    // Not all at once, where many processes lost the same anchor.
    timer = setTimeout(retry, delay * (0.5 + Math.random() / 2))
    timer.unref()
  }

  function retry(): void {
    clearTimeout(timer)
    timer = undefined
    start()
  }

  async function attempt(round: Round): Promise<boolean> {
    const { note, checkpoint, proveConsistency } = round
    const controller = new AbortController()
    ending = controller
    let hanging: NodeJS.Timeout | undefined
    const limit = setTimeout(() => {
      controller.abort()
      hanging = setTimeout(
        () => void fail(new AnchorError('It did not end when its time was over.')),
        SETTLE_MILLISECONDS,
      )
      hanging.unref()
    }, timing.limit)
    limit.unref()
    try {
      const { cosignatures = [] } = await anchor.put({ note, checkpoint, proveConsistency }, controller.signal)
      succeed(round)
      await onAnchored(round, cosignatures)
      return true
    } catch (error) {
      // To be overtaken by another process is no fork: what it has published will tell.
      const newer = error instanceof AnchorForkError ? await findNewer(round).catch(() => null) : null
      if (newer !== null) {
        waiting ??= newer
        return true
      }
      await fail(error)
      return false
    } finally {
      ending = null
      clearTimeout(limit)
      clearTimeout(hanging)
    }
  }

  function succeed({ epoch, size }: Round): void {
    status = { epoch, size, anchoredAt: now(), failedAt: null, failure: null }
    if (failures > 0) onRecovered()
    failures = 0
    forked = false
  }

  async function fail(error: unknown): Promise<void> {
    // Ended by ourselves: that says nothing about the anchor.
    if (stopped && ending?.signal.aborted) return
    const failure = describeFailure(error)
    status = { ...status, failedAt: now(), failure }
    failures += 1
    const isFork = error instanceof AnchorForkError
    const first = isFork ? !forked : failures === 1
    forked ||= isFork
    await onFailed(failure, { forked: isFork, first })
  }

  return {
    cosigns: anchor.cosigns === true,
    expect(place) {
      if (comparePlaces(newest, place) < 0) newest = { epoch: place.epoch, size: place.size }
    },
    async offer(round) {
      if (stopped || (waiting !== null && comparePlaces(round, waiting) < 0)) return
      waiting = round
      if (timer !== undefined) return
      start()
      await underWay
    },
    resume(before) {
      // What has happened meanwhile is newer.
      if (status.anchoredAt === null && status.failedAt === null) status = before
    },
    async flush() {
      retry()
      await underWay
    },
    status() {
      const behind = comparePlaces(status, newest) < 0
      const state = forked ? 'forked' : failures > 0 ? 'failing' : behind ? 'behind' : 'current'
      return { name: anchor.name, state, ...status }
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await underWay
    },
    abort() {
      ending?.abort()
    },
  }
}

/** Words for the operator, which are stored: on one line, not long, and without user and password of a URL. */
function describeFailure(error: unknown): string {
  return wordsOf(error)
    .replace(/\/\/[^/\s]*@/g, '//…@')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]+/gu, ' ')
    .slice(0, FAILURE_LENGTH)
    .toWellFormed()
    .trim()
}

function wordsOf(error: unknown): string {
  if (error instanceof ProofError) return `No proof of consistency can be made: ${error.message}`
  if (isGatebookError(error)) return `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : String(error)
}
