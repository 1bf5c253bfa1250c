import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnostics } from '../options.ts'
import { type LogPolicy, openCheckpoint, parseCheckpoint } from '../proof/checkpoint.ts'
import { type NoteSignature, parseNote } from '../proof/note.ts'
import { ProofError } from '../proof/proof-error.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import type { Anchor } from './anchor.ts'
import {
  type AnchorLane,
  type AnchorStatus,
  type AnchorTiming,
  createAnchorLane,
  type Round,
  SETTLE_MILLISECONDS,
} from './anchor-lane.ts'
import { addCosignatures, listAnchorRows, mergeSignatures, recordAnchored, recordFailure } from './anchor-row.ts'
import { type CheckpointPlace, comparePlaces, findPublishedCheckpoint } from './checkpoint-row.ts'
import { proveConsistency } from './kept-proof.ts'
import { createTreeReader } from './tree-reader.ts'

/** A checkpoint as it is in `gatebook_checkpoint`. */
export interface PublishedCheckpoint extends CheckpointPlace {
  readonly note: string
}

/**
 * Hands checkpoints to the anchors. Witnesses are asked first, and the others wait for their signatures for a moment, so that
 * what is kept elsewhere has them; they also get into `gatebook_checkpoint.note`, however late they come. Each anchor is on its
 * own: one that fails is tried again and holds up nobody. What is published while an anchor is busy replaces what waits for it.
 *
 * What survives a kill: what was published is in the database, and the next process hands the newest to each anchor for which
 * `gatebook_anchor` does not say that it has it. So an anchor may get a checkpoint twice.
 */
export interface Anchoring {
  /** Never throws and never waits. The checkpoint MUST be committed, since an anchor cannot forget it again. */
  publish(published: PublishedCheckpoint): void
  /** Tries at once what waits, also where an outage lasts. Resolves when everything was tried, or takes too long; see `status` for how it went. */
  flush(): Promise<void>
  /** One for each anchor, in their order. */
  status(): readonly AnchorStatus[]
  /** Tries what waits once more, and waits for what is under way, 3 s at most. */
  stop(): Promise<void>
}

export interface AnchoringOptions {
  readonly store: Store
  readonly anchors: readonly Anchor[]
  readonly clock: Clock
  readonly diagnostics: Diagnostics
  /** Of the log in this epoch: what is read out of the database is handed on only when the log has signed it. */
  readonly policy: (epoch: number) => LogPolicy
  readonly timing?: Partial<AnchoringTiming>
}

export interface AnchoringTiming extends AnchorTiming {
  /** Milliseconds that the other anchors wait for the witnesses. */
  readonly witnesses: number
}

const TIMING: AnchoringTiming = { retry: [1000, 600_000], limit: 30_000, witnesses: 5000 }
const NOTHING: CheckpointPlace = { epoch: -1, size: 0 }
const STOP_MILLISECONDS = 2000
const ABORT_MILLISECONDS = 1000

export function createAnchoring(options: AnchoringOptions): Anchoring {
  const { store, anchors, clock, diagnostics, policy } = options
  const timing = { ...TIMING, ...options.timing }
  const tree = createTreeReader((work) => store.read(work))
  const lanes = anchors.map(createLane)
  const stopping = new AbortController()
  let newest: CheckpointPlace | null = null
  let next: { readonly round: Round; readonly to: readonly AnchorLane[] } | null = null
  let handing: Promise<void> | null = null
  let unrecorded = false
  let retry: NodeJS.Timeout | undefined

  function createLane(anchor: Anchor): AnchorLane {
    const { name } = anchor
    return createAnchorLane({
      anchor,
      timing,
      now: () => clock.now(),
      findNewer,
      async onAnchored(round, cosignatures) {
        await record(async () => {
          if (cosignatures.length > 0) await keepCosignatures(round, cosignatures)
          await recordAnchored(store, name, round, clock.now())
        })
      },
      async onFailed(failure, { forked, first }) {
        if (first && forked) {
          diagnostics.error(
            { anchor: name, failure },
            'An anchor has another history of the log: the database was rolled back or rewritten, or somebody else signs with the key of the log.',
          )
        } else if (first) {
          diagnostics.warn(
            { anchor: name, failure },
            'An anchor does not keep checkpoints of the log. It is tried again.',
          )
        }
        await record(() => recordFailure(store, name, failure, clock.now()))
      },
      onRecovered: () => diagnostics.info({ anchor: name }, 'An anchor keeps checkpoints of the log again.'),
    })
  }

  async function keepCosignatures(round: Round, cosignatures: readonly NoteSignature[]): Promise<void> {
    round.note = mergeSignatures(round.note, cosignatures)
    await addCosignatures(store, round, round.note, cosignatures)
  }

  /** What could not be written is found out anew after a restart: no reason to call the anchor failed. */
  async function record(write: () => Promise<void>): Promise<void> {
    try {
      await write()
      unrecorded = false
    } catch (error) {
      if (!unrecorded && !stopping.signal.aborted) {
        diagnostics.warn({ err: error }, 'How far the anchors of the log are could not be written down.')
      }
      unrecorded = true
    }
  }

  function createRound({ epoch, size, note }: PublishedCheckpoint): Round {
    const checkpoint = parseCheckpoint(parseNote(note).text)
    if (checkpoint.size !== size)
      throw new ProofError('ERR_CHECKPOINT_MALFORMED', `size ${checkpoint.size}, not ${size}`)
    const prove = (oldSize: number) => proveConsistency(store, tree, oldSize, { epoch, size })
    return { epoch, size, note, checkpoint, proveConsistency: prove }
  }

  /**
   * The newest published checkpoint in the database; null when it is not newer than this one. Throws a ProofError for one that
   * is not signed by the log: whoever can write to the database could publish anything.
   */
  async function findNewer(place: CheckpointPlace): Promise<Round | null> {
    const row = await findPublishedCheckpoint(store)
    if (row === null || comparePlaces(row, place) <= 0) return null
    openCheckpoint(row.note, policy(row.epoch))
    return createRound(row)
  }

  function hand(round: Round, to: readonly AnchorLane[]): void {
    newest = { epoch: round.epoch, size: round.size }
    next = { round, to }
    for (const lane of to) lane.expect(round)
    startHanding()
  }

  function startHanding(): void {
    if (handing !== null || next === null || stopping.signal.aborted) return
    handing = handNext().finally(() => {
      handing = null
      startHanding()
    })
  }

  async function handNext(): Promise<void> {
    while (next !== null && !stopping.signal.aborted) {
      const { round, to } = next
      next = null
      const witnesses = to.filter(({ cosigns }) => cosigns).map((lane) => lane.offer(round))
      if (witnesses.length > 0) await waitFor(Promise.all(witnesses), timing.witnesses, stopping.signal)
      for (const lane of to) if (!lane.cosigns) void lane.offer(round)
    }
  }

  /** For the anchors that the process before has left behind. */
  async function catchUp(): Promise<void> {
    const names = anchors.map(({ name }) => name)
    for (const row of await listAnchorRows(store, names)) {
      const { name, epoch, size, anchored_at: anchoredAt, failed_at: failedAt, failure } = row
      lanes[names.indexOf(name)]?.resume({ epoch, size, anchoredAt, failedAt, failure })
    }
    const round = await findNewer(NOTHING)
    // What is published now is newer.
    if (round === null || newest !== null || stopping.signal.aborted) return
    const behind = lanes.filter((lane) => {
      const status = lane.status()
      return status.anchoredAt === null || comparePlaces(status, round) < 0
    })
    if (behind.length > 0) hand(round, behind)
  }

  async function tryToCatchUp(failures = 0): Promise<void> {
    try {
      await catchUp()
    } catch (error) {
      if (stopping.signal.aborted) return
      if (error instanceof ProofError) {
        diagnostics.error(
          { code: error.code },
          'The newest published checkpoint in the database is not one of this log. It is not handed to the anchors.',
        )
        return
      }
      if (failures === 0) diagnostics.warn({ err: error }, 'How far the anchors of the log are could not be read.')
      const [first, longest] = timing.retry
      retry = setTimeout(() => void tryToCatchUp(failures + 1), Math.min(longest, first * 2 ** Math.min(failures, 30)))
      retry.unref()
    }
  }

  const caughtUp = lanes.length === 0 ? Promise.resolve() : tryToCatchUp()

  async function flush(): Promise<void> {
    if (stopping.signal.aborted) return
    const patience = timing.limit + SETTLE_MILLISECONDS
    const flushAll = (cosigns: boolean): Promise<void> =>
      waitFor(Promise.all(lanes.map((lane) => lane.cosigns === cosigns && lane.flush())), patience, stopping.signal)
    await caughtUp
    await flushAll(true)
    while (handing !== null) await handing
    await flushAll(false)
  }

  return {
    publish(published) {
      if (lanes.length === 0 || stopping.signal.aborted) return
      if (newest !== null && comparePlaces(published, newest) < 0) return
      try {
        hand(createRound(published), lanes)
      } catch (error) {
        diagnostics.error({ err: error }, 'A checkpoint of the log cannot be handed to the anchors.')
      }
    },
    flush,
    status: () => lanes.map((lane) => lane.status()),
    async stop() {
      await waitFor(flush(), STOP_MILLISECONDS)
      stopping.abort()
      clearTimeout(retry)
      const over = Promise.all([caughtUp, handing, ...lanes.map((lane) => lane.stop())])
      for (const lane of lanes) lane.abort()
      await waitFor(over, ABORT_MILLISECONDS)
    },
  }
}

/** Until the work is over, the time, or the signal is aborted. */
async function waitFor(work: Promise<unknown>, milliseconds: number, signal?: AbortSignal): Promise<void> {
  const over = new AbortController()
  const either = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal])
  await Promise.race([
    work,
    sleep(milliseconds, undefined, { signal: either, ref: signal === undefined }).catch(() => undefined),
  ])
  over.abort()
}
