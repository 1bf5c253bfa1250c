import { GatebookError } from '../errors.ts'
import { type Checkpoint, formatCheckpoint, openCheckpoint, parseCheckpoint } from '../proof/checkpoint.ts'
import { parseNote, signNote } from '../proof/note.ts'
import { ProofError } from '../proof/proof-error.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import { comparePlaces, findNewestCheckpoint } from './checkpoint-row.ts'
import { checkEntries, type EntryRow, type MacCheck, type WalkedEntry, walkEntries } from './entry-walk.ts'
import type { Guard, LockedGuard } from './guard.ts'
import { formatOrigin, type LogKey } from './log-key.ts'
import { extendTree, type LogTree, readLogTree, readPrunedTree, requireRoot } from './log-tree.ts'
import { recordSigned, type SignedCheckpoint } from './record-checkpoint.ts'
import type { Sequencer } from './sequencer.ts'
import { diverged } from './stopped.ts'

/** As many entries as one checkpoint covers more than the one before. */
const SIGN_MAX = 1024

/** A checkpoint and its note, with what it covers that the one before did not. */
export interface Signed {
  readonly checkpoint: Checkpoint
  readonly epoch: number
  readonly note: string
  readonly signedAt: number
  readonly entries: readonly WalkedEntry[]
}

/**
 * Signs the log. One turn, with the lock of the guard:
 *
 * 1. The tree is what the guard says: the one in memory where the note is the same, else it is made from the database and has to
 *    give the root of the guard. The size and the hashes in the database are never believed by themselves.
 * 2. PostgreSQL, MySQL: the sequencer gives queued events their place.
 * 3. The entries behind the guard are read, hashed, and have to carry the MAC of a writer.
 * 4. The checkpoint over them is signed, and written to the guard; the tiles and the checkpoint are written to the database.
 *
 * | killed | left | the next turn |
 * |---|---|---|
 * | before the sequencer's commit | the queue | as ever |
 * | before the guard is written | entries with MACs | signs them |
 * | before the database has the checkpoint | a newer guard | makes the tree up to it, and writes what is missing |
 *
 * A checkpoint is in the guard before anybody else can see it, so none is ever contradicted.
 */
export interface LogSigner {
  /** Throws ERR_LOG_GUARD_MISSING, ERR_LOG_GUARD_UNUSABLE and ERR_LOG_DIVERGED; then nothing was signed. */
  advance(): Promise<'done' | 'more' | 'busy'>
  /** Step 1 alone. */
  check(): Promise<void>
  /** The newest checkpoint of the guard that this process has seen, which its key has signed; null before the first turn. */
  newest(): SignedCheckpoint | null
}

export interface LogSignerParts {
  readonly store: Store
  readonly key: LogKey
  readonly guard: Guard
  /** Null where entries have their place with their event. */
  readonly sequencer: Sequencer | null
  readonly isGenuine: MacCheck
  readonly clock: Clock
  /** Whether the log was never signed: then its guard cannot be missing. */
  readonly isNew: boolean
  readonly onSigned: (signed: Signed) => void
}

interface Position {
  readonly epoch: number
  readonly note: string
  readonly tree: LogTree
}

const NOWHERE = { epoch: 0, size: 0 }

export function createLogSigner(parts: LogSignerParts): LogSigner {
  const { store, key, guard, sequencer, isGenuine, clock, onSigned } = parts
  let isNew = parts.isNew
  let position: Position | null = null
  /** What was signed once, it stays, whatever else fails. */
  let newest: SignedCheckpoint | null = null

  function reach(reached: Position, signedAt: number): Position {
    const size = reached.tree.size()
    if (newest?.note !== reached.note) newest = { epoch: reached.epoch, size, note: reached.note, signedAt }
    position = reached
    return reached
  }

  /** Where the log stands by the guard. */
  async function follow(lock: LockedGuard): Promise<Position> {
    const note = await lock.read()
    if (position !== null && note === position.note) return position
    if (note === null) {
      if (newest !== null) throw diverged('guard-gone', `It was ${guard.location}.`)
      return begin(lock)
    }
    const { checkpoint, epoch } = openGuard(note, key)
    // Where the database was set back with its guard, this process is the one that still knows.
    if (comparePlaces({ epoch, size: checkpoint.size }, newest ?? NOWHERE) < 0) {
      throw diverged('guard-rolled-back', `It has ${checkpoint.size} entries, and ${newest?.size} were signed.`)
    }
    if (newest === null) await requireNewestEpoch(epoch)
    const size = await readSize()
    if (size < checkpoint.size) throw rolledBack(size, checkpoint.size)
    const known = position?.epoch === epoch && position.tree.size() <= checkpoint.size ? position.tree : null
    position = null
    if (known !== null) {
      await extendTree(store, known, checkpoint.size)
      requireRoot(known, checkpoint.rootHash)
    }
    const tree = known ?? (await readLogTree(store, checkpoint))
    const signedAt = clock.now()
    await recordSigned(store, { epoch, size: checkpoint.size, note, signedAt }, tree.takeTiles())
    return reach({ epoch, note, tree }, signedAt)
  }

  /** A guard of before the last epoch began would go on with one that is over. The database can only be late with a checkpoint. */
  async function requireNewestEpoch(epoch: number): Promise<void> {
    const written = await findNewestCheckpoint(store)
    if (written === null || written.epoch <= epoch) return
    try {
      if (openGuard(written.note, key).epoch <= epoch) return
    } catch {
      // Nobody has signed it, so it says nothing; the audit finds it.
      return
    }
    throw diverged('guard-rolled-back', `It is of epoch ${epoch}, and the log has begun epoch ${written.epoch}.`)
  }

  async function begin(lock: LockedGuard): Promise<Position> {
    if ((await readSize()) > 0 && !isNew) throw guardMissing(guard.location)
    // Of a log whose key was replaced, the beginning may have been pruned.
    const tree = await readPrunedTree(store)
    const note = signTree(tree, 1, key)
    await lock.write(note)
    isNew = false
    return reach({ epoch: 1, note, tree }, clock.now())
  }

  async function readSize(): Promise<number> {
    const { size } = await store.read((db) =>
      db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).executeTakeFirstOrThrow(),
    )
    return Number(size)
  }

  /** The entries behind the guard. Those that the sequencer has just written need not be read again. */
  async function readNew(tree: LogTree, moved: readonly EntryRow[], size: number): Promise<readonly WalkedEntry[]> {
    if (size < tree.size()) throw rolledBack(size, tree.size())
    if (moved.length === size - tree.size() && Number(moved[0]?.log_index) === tree.size()) {
      return checkEntries(moved, tree.size())
    }
    const entries: WalkedEntry[] = []
    const until = Math.min(size, tree.size() + SIGN_MAX)
    for await (const walked of walkEntries(store, tree.size(), until, isGenuine)) entries.push(...walked)
    return entries
  }

  async function sign({ tree, epoch }: Position, lock: LockedGuard, entries: readonly WalkedEntry[]): Promise<void> {
    // Whatever fails from here on, the tree is made anew from the guard.
    position = null
    tree.append(entries.map(({ leafHash }) => leafHash))
    const note = signTree(tree, epoch, key)
    await lock.write(note)
    const signedAt = clock.now()
    newest = { epoch, size: tree.size(), note, signedAt }
    await recordSigned(store, newest, tree.takeTiles())
    reach({ epoch, note, tree }, signedAt)
    onSigned({ checkpoint: parseCheckpoint(parseNote(note).text), epoch, note, signedAt, entries })
  }

  async function withLock<T>(work: (lock: LockedGuard) => Promise<T>): Promise<T | null> {
    const lock = await guard.tryLock()
    if (lock === null) return null
    try {
      return await work(lock)
    } finally {
      await lock.unlock()
    }
  }

  async function turn(lock: LockedGuard): Promise<'done' | 'more' | 'busy'> {
    const at = await follow(lock)
    const moved: EntryRow[] = []
    const result = (await sequencer?.sequence((entries) => moved.push(...entries))) ?? 'done'
    const size = moved.length > 0 ? Number(moved.at(-1)!.log_index) + 1 : await readSize()
    const entries = await readNew(at.tree, moved, size)
    if (entries.length > 0) await sign(at, lock, entries)
    return result === 'done' && at.tree.size() < size ? 'more' : result
  }

  return {
    advance: async () => (await withLock(turn)) ?? 'busy',
    async check() {
      await withLock(follow)
    },
    newest: () => newest,
  }
}

/** The signed note over a tree. MUST NOT be shown to anybody before the guard has it. */
export function signTree(tree: Pick<LogTree, 'size' | 'root'>, epoch: number, key: LogKey): string {
  const origin = formatOrigin(key.origin, epoch)
  return signNote(formatCheckpoint({ origin, size: tree.size(), rootHash: tree.root() }), ...key.signingKeys(epoch))
}

/** The checkpoint of a guard and its epoch. Throws ERR_LOG_DIVERGED. */
export function openGuard(note: string, key: LogKey): { checkpoint: Checkpoint; epoch: number } {
  try {
    const { origin } = parseCheckpoint(parseNote(note).text)
    const epoch = key.epochOf(origin)
    if (epoch === null) throw diverged('guard-invalid', `It is of the log ${origin}.`)
    return { checkpoint: openCheckpoint(note, key.policy(epoch)).checkpoint, epoch }
  } catch (error) {
    if (error instanceof ProofError) throw diverged('guard-invalid', error.message)
    throw error
  }
}

function rolledBack(size: number, signed: number): GatebookError {
  return diverged('rolled-back', `It has ${size} entries, and ${signed} were signed.`)
}

function guardMissing(location: string): GatebookError {
  return new GatebookError('ERR_LOG_GUARD_MISSING', {
    detail: `There is no file ${location} (logGuard), and the log has entries. Restore it, or run where it is. When it is lost for good and the database was not restored from a backup, gatebook log adopt makes a new one; in a process that leaves signing to another one, set logSigning to off.`,
  })
}
