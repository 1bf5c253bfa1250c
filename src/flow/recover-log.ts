/** Leaves `log.epoch`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { RecoveredLog, RecoverOptions, RequestContext } from '../api.ts'
import { GatebookError, isGatebookError } from '../errors.ts'
import type { NewEvent } from '../event/event.ts'
import { findNewestCheckpoint } from '../log/checkpoint-row.ts'
import { putTiles } from '../log/close-up.ts'
import { type MacCheck, walkEntries } from '../log/entry-walk.ts'
import type { LockedGuard } from '../log/guard.ts'
import type { EventLog } from '../log/log.ts'
import type { LogKeeper } from '../log/log-keeper.ts'
import { openGuard, signTree } from '../log/log-signer.ts'
import { type LogTree, readPrunedTree, requireRoot } from '../log/log-tree.ts'
import { readNoteFile } from '../log/note-file.ts'
import { findProvenPrefix } from '../log/proven-prefix.ts'
import { readPrunedSize } from '../log/pruned.ts'
import { diverged } from '../log/stopped.ts'
import type { Checkpoint } from '../proof/checkpoint.ts'
import type { Store } from '../store/store.ts'
import { encodeBase64url } from '../util/base64url.ts'
import { equalBytes } from '../util/bytes.ts'
import { largest } from '../util/largest.ts'
import { eventSource } from './event-source.ts'

const PATIENCE_MILLISECONDS = 5000

export interface RecoverParts {
  readonly store: Store
  readonly log: EventLog
  readonly keeper: Pick<LogKeeper, 'key' | 'guard'>
  readonly isGenuine: MacCheck
}

/**
 * A guard in place of one that is lost, from the newest checkpoint that the database has and that the key of the log has signed. All
 * entries are read: they have to give its root, and to carry the MAC of a writer. It cannot tell a database that was rolled back
 * from one that was not, which is for whoever asks for it to know.
 *
 * Throws ERR_LOG_KEY_MISSING, ERR_LOG_GUARD_PRESENT, ERR_LOG_DIVERGED, ERR_UNAVAILABLE.
 */
export function adoptGuard(parts: RecoverParts, context: RequestContext): Promise<RecoveredLog> {
  return withGuard(parts, async (lock, key) => {
    if ((await lock.read()) !== null) throw new GatebookError('ERR_LOG_GUARD_PRESENT')
    const newest = await findNewestCheckpoint(parts.store)
    const signed = newest === null ? null : openStored(newest.note, key)
    const tree = await readWholeTree(parts, signed?.checkpoint ?? null)
    const epoch = signed?.epoch ?? 1
    const note = newest?.note ?? signTree(tree, epoch, key)
    await parts.store.transaction((tx) => parts.log.append(tx, [tell('guard-adopted', { epoch, tree }, context)]))
    await lock.write(note)
    return { epoch, size: tree.size(), previousSize: signed?.checkpoint.size ?? null }
  })
}

/** A checkpoint that the log has signed, and the epoch of it. */
export type Head = ReturnType<typeof openGuard>

/**
 * Goes on with a database that was restored from a backup: from now on, checkpoints have the origin of a new epoch, so that none
 * contradicts those that were signed before. What was lost can be told from `log.epoch` and from the anchors.
 *
 * That it was restored is seen by a checkpoint of the newest epoch that its entries do not give: that of the guard, or one
 * that was kept elsewhere, where the guard was restored with the database. Where it is gone, those from elsewhere stand in for it.
 *
 * Throws ERR_LOG_KEY_MISSING, ERR_LOG_INTACT when the log extends all of these, ERR_LOG_GUARD_MISSING, ERR_FILE for a file of
 * checkpoints that cannot be used, ERR_LOG_DIVERGED when entries that no checkpoint covers carry no MAC of a writer or do not give the
 * checkpoint that was restored with them, ERR_UNAVAILABLE.
 */
export async function recoverLog(
  parts: RecoverParts,
  { checkpoints = [] }: RecoverOptions,
  context: RequestContext,
): Promise<RecoveredLog> {
  return withGuard(parts, async (lock, key) => {
    const note = await lock.read()
    const guard = note === null ? null : openGuard(note, key)
    const heads = [...(guard === null ? [] : [guard]), ...(await readHeads(checkpoints, key))]
    if (heads.length === 0) {
      throw new GatebookError('ERR_LOG_GUARD_MISSING', { detail: 'gatebook log adopt makes one.' })
    }
    const newest = await findNewestCheckpoint(parts.store)
    const restored = newest === null ? null : openStored(newest.note, key)
    const epoch = largest(heads.map((head) => head.epoch))
    // What an earlier restore has lost is lost.
    const judged = heads.filter((head) => head.epoch === epoch)
    const bySize = new Map<number, Head[]>()
    for (const head of judged) bySize.set(head.checkpoint.size, [...(bySize.get(head.checkpoint.size) ?? []), head])
    const held = new Set<Head>()
    const tree = await readWholeTree(parts, restored?.checkpoint ?? null, (grown) => {
      const here = bySize.get(grown.size()) ?? []
      const root = here.length === 0 ? null : grown.root()
      for (const head of here) if (equalBytes(root!, head.checkpoint.rootHash)) held.add(head)
    })
    const first = await readPrunedSize(parts.store.read)
    // Of what was pruned nothing is left to compare. A new epoch too many does no harm.
    const isLost = (head: Head): boolean => !held.has(head) && (head === guard || head.checkpoint.size >= first)
    const lost = judged.filter(isLost)
    const newestEpoch = Math.max(epoch, restored?.epoch ?? 1)
    // A guard of an epoch that is over knows nothing of what was signed in it later.
    if (lost.length === 0 && guard?.epoch === newestEpoch) throw await intact(parts.store, guard)
    const known = lost.length > 0 ? lost : [...judged, ...(restored === null ? [] : [restored])]
    const previous = known.reduce((a, b) => (b.checkpoint.size > a.checkpoint.size ? b : a)).checkpoint
    const next = { epoch: newestEpoch + 1, tree, previous }
    // The event first: a kill before the guard is written leaves one epoch too many told, and none untold.
    await parts.store.transaction((tx) => parts.log.append(tx, [tell('restored', next, context)]))
    await lock.write(signTree(tree, next.epoch, key))
    return { epoch: next.epoch, size: tree.size(), previousSize: previous.size }
  })
}

/** Tiles follow from the entries: where somebody has edited them, they are put right, and the log can be signed again. */
async function intact(store: Store, { checkpoint }: Head): Promise<GatebookError> {
  const { proven } = await findProvenPrefix(store, [checkpoint])
  const changed = proven !== null && (await store.transaction((tx) => putTiles(tx, proven.tiles, proven.frontier.size)))
  return new GatebookError('ERR_LOG_INTACT', {
    ...(changed && { detail: 'Its tiles were not what its entries give. They were written anew.' }),
  })
}

/** Throws ERR_FILE for what is no checkpoint that this log has signed. */
export async function readHeads(files: readonly string[], key: NonNullable<LogKeeper['key']>): Promise<Head[]> {
  const heads: Head[] = []
  for (const path of files) {
    for await (const { note, file, line } of readNoteFile(path)) {
      try {
        heads.push(openGuard(note, key))
      } catch (cause) {
        if (!isGatebookError(cause, 'ERR_LOG_DIVERGED')) throw cause
        throw new GatebookError('ERR_FILE', {
          cause,
          detail: `${file}:${line}: this is no checkpoint that the log has signed.`,
        })
      }
    }
  }
  return heads
}

/** The newest checkpoint of the database. Throws ERR_LOG_DIVERGED when it is not one that the log has signed. */
export function openStored(note: string, key: NonNullable<LogKeeper['key']>): Head {
  try {
    return openGuard(note, key)
  } catch (cause) {
    if (!isGatebookError(cause, 'ERR_LOG_DIVERGED')) throw cause
    throw diverged('checkpoint-forged', 'It is the one with the largest epoch and size.')
  }
}

export async function withGuard<T>(
  { keeper: { key, guard } }: RecoverParts,
  work: (lock: LockedGuard, key: NonNullable<LogKeeper['key']>) => Promise<T>,
): Promise<T> {
  if (key === null || guard === null) throw new GatebookError('ERR_LOG_KEY_MISSING')
  const giveUpAt = performance.now() + PATIENCE_MILLISECONDS
  for (;;) {
    const lock = await guard.tryLock()
    if (lock !== null) {
      try {
        return await work(lock, key)
      } finally {
        await lock.unlock()
      }
    }
    if (performance.now() > giveUpAt) {
      throw new GatebookError('ERR_UNAVAILABLE', {
        retryAfterSeconds: 1,
        detail: `Another process holds the lock of ${guard.location}.`,
      })
    }
    await sleep(20)
  }
}

/** All entries that are left: those that `signed` covers by its root, the others by their MACs. `onGrown` is told of every size. */
async function readWholeTree(
  { store, isGenuine }: RecoverParts,
  signed: Checkpoint | null,
  onGrown: (tree: LogTree) => void = () => {},
): Promise<LogTree> {
  const size = await readSize(store)
  if (signed !== null && size < signed.size) {
    throw diverged('rolled-back', `It has ${size} entries, and its newest checkpoint covers ${signed.size}.`)
  }
  const tree = await readPrunedTree(store)
  const from = tree.size()
  if (signed !== null && signed.size < from) {
    throw diverged('gap', `Its first ${from} entries were pruned, and its newest checkpoint covers ${signed.size}.`)
  }
  if (from > 0 && from === signed?.size) requireRoot(tree, signed.rootHash)
  onGrown(tree)
  // What the root of a checkpoint proves needs no MAC, whose key may be long gone.
  const covered = signed?.size ?? from
  await grow(walkEntries(store, from, covered))
  if (covered > from) requireRoot(tree, signed!.rootHash)
  await grow(walkEntries(store, covered, size, isGenuine))
  await requireEnd(store)
  return tree

  async function grow(walk: ReturnType<typeof walkEntries>): Promise<void> {
    for await (const entries of walk) {
      for (const { leafHash } of entries) {
        tree.append([leafHash])
        onGrown(tree)
      }
      // The tiles are in the database already, or follow from the guard at the next turn.
      tree.takeTiles()
    }
  }
}

async function readSize({ read }: Pick<Store, 'read'>): Promise<number> {
  const { size } = await read((db) =>
    db.selectFrom('gatebook_log_state').select('size').where('id', '=', 1).executeTakeFirstOrThrow(),
  )
  return Number(size)
}

/** No places could be given behind a size that was set back. Throws ERR_LOG_DIVERGED. */
async function requireEnd({ read }: Pick<Store, 'read'>): Promise<void> {
  const last = await read((db) =>
    db
      .selectFrom('gatebook_entry')
      .select('log_index')
      .orderBy('log_index', 'desc')
      .limit(sql.lit(1))
      .executeTakeFirst(),
  )
  // Read later: it grows with the entries.
  const size = await readSize({ read })
  if (last !== undefined && Number(last.log_index) >= size) {
    throw diverged('gap', `The size is ${size}, and there is an entry ${last.log_index}.`)
  }
}

interface ToldEpoch {
  readonly epoch: number
  readonly tree: Pick<LogTree, 'size' | 'root'>
  readonly previous?: Checkpoint
  readonly counts?: { readonly quarantined: number; readonly missing: number }
}

export function tell(
  reason: 'restored' | 'guard-adopted' | 'quarantined',
  { epoch, tree, previous, counts }: ToldEpoch,
  context: RequestContext,
): NewEvent {
  return {
    ...eventSource(context, { kind: 'system' }),
    type: 'log.epoch',
    outcome: 'success',
    reason,
    data: {
      epoch,
      size: tree.size(),
      root: encodeBase64url(tree.root()),
      ...(previous !== undefined && {
        previous_size: previous.size,
        previous_root: encodeBase64url(previous.rootHash),
      }),
      ...counts,
    },
  }
}
