import { setTimeout as sleep } from 'node:timers/promises'
import type { LogStatus } from '../api.ts'
import { type ErrorCode, isGatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import type { Checkpoint } from '../proof/checkpoint.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import type { Store } from '../store/store.ts'
import type { AppendedEvent } from './append.ts'
import { findNewestCheckpoint } from './checkpoint-row.ts'
import { createMacCheck, type MacCheck } from './entry-walk.ts'
import type { FileLock, Guard } from './guard.ts'
import { createFileGuard } from './guards/file-guard.ts'
import { createMemoryGuard } from './guards/memory-guard.ts'
import { type LogKey, loadLogKey, readKnownKeys } from './log-key.ts'
import { createLogKeys, type LogKeys } from './log-keys.ts'
import { createLogSigner, type LogSigner, type Signed } from './log-signer.ts'
import { createOwnEvents, type OwnEvents } from './own-events.ts'
import { createPublisher, type Publisher } from './publisher.ts'
import type { SignedCheckpoint } from './record-checkpoint.ts'
import { createSequencer } from './sequencer.ts'

/** After a turn that found that it must not sign, the next one, in case that somebody has put things right. */
const STOPPED_MILLISECONDS = 5000
const FINISH_MILLISECONDS = 2000
const FINISH_PAUSE_MILLISECONDS = 50
const STOPS: readonly ErrorCode[] = ['ERR_LOG_DIVERGED', 'ERR_LOG_GUARD_MISSING', 'ERR_LOG_GUARD_UNUSABLE']

/** Everything that becomes of events after their commit, in this process. */
export interface LogKeeper {
  readonly key: LogKey | null
  readonly keys: LogKeys
  readonly guard: Guard | null
  readonly isGenuine: MacCheck
  /** After the commit of events. */
  noteAppended(events: readonly AppendedEvent[]): void
  /** One turn: gives places, signs, publishes. Throws what the database throws; what stops the signing is in the status. */
  turn(): Promise<'done' | 'more' | 'busy'>
  /** Raises the alarm for events that do not come. */
  check(): Promise<void>
  /** Before the process ends: turns until nothing that was committed waits for its place, as long as that is soon, and publishes. */
  finish(): Promise<void>
  status(): Omit<LogStatus, 'anchors'>
  close(): Promise<void>
}

export interface LogKeeperParts {
  readonly store: Store
  readonly settings: Settings
  readonly secret: MasterSecret
  /** Of a database that is gone with the process. */
  readonly ephemeral: boolean
  readonly openLock: (path: string) => Promise<FileLock>
  readonly onPublished: (checkpoint: SignedCheckpoint) => void
}

/**
 * Throws ERR_LOG_KEY_MISSING, ERR_LOG_KEY_MISMATCH, ERR_LOG_GUARD_MISSING, ERR_LOG_GUARD_UNUSABLE and ERR_OPTION_INVALID. A log that
 * diverged from what was signed is no reason not to start: log-ins go on, and the status says that nothing is signed.
 */
export async function openLogKeeper(parts: LogKeeperParts): Promise<LogKeeper> {
  const { store, settings, secret, ephemeral, onPublished } = parts
  const { clock, diagnostics, checkpointSeconds, logGuard } = settings
  const wasNeverSigned = (await readKnownKeys(store)).length === 0
  const key = await loadLogKey(store, settings, ephemeral)
  // Whatever the database holds, as long as its entries carry MACs: nothing is guarded against then.
  const unguarded = ephemeral || logGuard === ':memory:'
  const guard = key === null ? null : unguarded ? createMemoryGuard() : createFileGuard(logGuard, parts.openLock)
  const publisher =
    key === null ? null : createPublisher({ store, clock, diagnostics, checkpointSeconds, key, onPublished })
  const keys = createLogKeys(store, key)
  /** What the guard has, where there is one; else what the database has. */
  const findSigned = async (): Promise<Checkpoint | null> => {
    const newest = signer?.newest() ?? (await findNewestCheckpoint(store))
    return newest === null || newest.size === 0 ? null : keys.open(newest)
  }
  const isSigned = key !== null || !wasNeverSigned
  const own = settings.attach || !isSigned ? null : createOwnEvents({ store, clock, diagnostics, findSigned })
  let signed: LogStatus['signed'] = null
  const onSigned = ({ checkpoint, epoch, signedAt, entries }: Signed): void => {
    signed = { epoch, size: checkpoint.size, signedAt }
    own?.cover(entries)
  }
  const isGenuine = createMacCheck(secret)
  const sequencer = store.traits.queued ? createSequencer({ store, secret, clock, diagnostics }) : null
  const signer =
    key === null || guard === null
      ? null
      : createLogSigner({
          store,
          key,
          guard,
          sequencer,
          isGenuine,
          clock,
          isNew: unguarded || wasNeverSigned,
          onSigned,
        })
  const state = createStops(settings)
  if (signer !== null) await begin(signer, state, settings)
  if (signer !== null && !settings.attach) await sequencer?.reconsider()
  await own?.check()

  return createKeeper({
    attached: settings.attach,
    key,
    keys,
    guard,
    isGenuine,
    signer,
    publisher,
    own,
    state,
    signed: () => signed,
  })
}

interface Stops {
  stopped(): LogStatus['stopped']
  /** Whether a turn has to be left out. */
  isResting(): boolean
  /** Notes what stops the signing; throws everything else. */
  note(error: unknown): void
  clear(): void
}

/** One line when the signing stops, and not one for each turn. */
function createStops({ clock, diagnostics }: Settings): Stops {
  let stopped: LogStatus['stopped'] = null
  let restsUntil = 0
  return {
    stopped: () => stopped,
    isResting: () => performance.now() < restsUntil,
    note(error) {
      if (!isGatebookError(error) || !STOPS.includes(error.code)) throw error
      restsUntil = performance.now() + STOPPED_MILLISECONDS
      const detail = error.detail ?? error.message
      if (stopped?.detail === detail) return
      stopped = { code: error.code, detail, since: clock.now() }
      diagnostics.error({ code: error.code, ...error.members }, `The log is not signed any more. ${detail}`)
    },
    clear() {
      if (stopped !== null) diagnostics.info({ code: stopped.code }, 'The log is signed again.')
      stopped = null
    },
  }
}

async function begin(signer: LogSigner, state: Stops, { attach }: Settings): Promise<void> {
  try {
    await signer.check()
  } catch (error) {
    // Whoever starts a server has to know at once; a command beside it does what it was asked to.
    const isAboutGuard =
      isGatebookError(error, 'ERR_LOG_GUARD_MISSING') || isGatebookError(error, 'ERR_LOG_GUARD_UNUSABLE')
    if (isAboutGuard && !attach) throw error
    state.note(error)
  }
}

function createKeeper(parts: {
  readonly attached: boolean
  readonly key: LogKey | null
  readonly keys: LogKeys
  readonly guard: Guard | null
  readonly isGenuine: MacCheck
  readonly signer: LogSigner | null
  readonly publisher: Publisher | null
  readonly own: OwnEvents | null
  readonly state: Stops
  readonly signed: () => LogStatus['signed']
}): LogKeeper {
  const { attached, key, keys, guard, isGenuine, signer, publisher, own, state, signed } = parts

  async function turn(): Promise<'done' | 'more' | 'busy'> {
    if (signer === null || state.isResting()) return 'done'
    let result: 'done' | 'more' | 'busy'
    try {
      result = await signer.advance()
    } catch (error) {
      state.note(error)
      return 'done'
    }
    if (result !== 'busy') state.clear()
    const newest = signer.newest()
    // A command beside a server has no anchors, and is gone before they would answer.
    if (!attached && newest !== null) await publisher?.publishDue(newest)
    return result
  }

  return {
    key,
    keys,
    guard,
    isGenuine,
    noteAppended: (events) => own?.remember(events),
    turn,
    check: async () => own?.check(),
    async finish() {
      const until = performance.now() + FINISH_MILLISECONDS
      do {
        const result = await turn().catch(() => 'busy')
        if (result === 'done') break
        // Another process is at it, or the database is away.
        if (result === 'busy') await sleep(FINISH_PAUSE_MILLISECONDS)
      } while (performance.now() < until)
      // Otherwise the last of it would not be anchored for as long as no process runs.
      const newest = signer?.newest() ?? null
      if (!attached && newest !== null) await publisher?.publish(newest).catch(() => undefined)
    },
    status: () => ({
      signing: signer !== null,
      signed: signed(),
      stopped: state.stopped(),
      ...(own?.status() ?? { waiting: 0, missing: 0 }),
    }),
    close: async () => guard?.close(),
  }
}
