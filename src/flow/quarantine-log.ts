/** Leaves `log.epoch`. */
import type { RecoveredLog, RecoverOptions, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { findNewestCheckpoint } from '../log/checkpoint-row.ts'
import { closeUp, putTiles } from '../log/close-up.ts'
import { openEvidenceFile } from '../log/evidence-file.ts'
import { openGuard, signTree } from '../log/log-signer.ts'
import { findProvenPrefix } from '../log/proven-prefix.ts'
import { diverged } from '../log/stopped.ts'
import { largest } from '../util/largest.ts'
import { openStored, type RecoverParts, readHeads, tell, withGuard } from './recover-log.ts'

/**
 * Goes on without what somebody has put behind the signed entries, or has taken away there. What the largest checkpoint proves that
 * the entries still give stays as it is. Behind it, entries with the MAC of a writer close up in their order; all others go into a file. The
 * next checkpoint is of a new epoch, since places have changed that somebody may have seen under one that nobody here knows of.
 *
 * What a kill leaves:
 *
 * | killed | left |
 * |---|---|
 * | before the commit | a file without its last line, and the log as it was |
 * | before the guard is written | a log that is signed on in its epoch, or not yet where signed entries were changed; a `log.epoch` too many |
 *
 * Throws ERR_LOG_KEY_MISSING, ERR_LOG_INTACT when there is nothing to be done, ERR_FILE, ERR_LOG_DIVERGED when no checkpoint fits,
 * ERR_UNAVAILABLE.
 */
export async function quarantineLog(
  parts: RecoverParts,
  path: string,
  { checkpoints = [] }: RecoverOptions,
  context: RequestContext,
): Promise<RecoveredLog> {
  return withGuard(parts, async (lock, key) => {
    const { store, log, isGenuine } = parts
    const guard = await lock.read()
    const newest = await findNewestCheckpoint(store)
    const heads = await readHeads(checkpoints, key)
    if (guard !== null) heads.push(openGuard(guard, key))
    if (newest !== null) heads.push(openStored(newest.note, key))
    if (heads.length === 0) throw new GatebookError('ERR_LOG_GUARD_MISSING')
    const { proven, held } = await findProvenPrefix(
      store,
      heads.map(({ checkpoint }) => checkpoint),
    )
    if (proven === null) {
      throw diverged(
        'rewritten',
        'None of its checkpoints fits: give older ones, of an anchor or out of gatebook_checkpoint, with --checkpoint.',
      )
    }
    const newestEpoch = largest(heads.map(({ epoch }) => epoch))
    const judged = heads.filter(({ epoch }) => epoch === newestEpoch).map(({ checkpoint }) => checkpoint)
    const previous = judged.reduce((a, b) => (b.size > a.size ? b : a))
    const isWhole = guard !== null && judged.every((checkpoint) => held.has(checkpoint))
    const epoch = newestEpoch + 1
    const file = await openEvidenceFile(path)
    try {
      const done = await store.transaction(async (tx) => {
        await file.begin({ log: key.origin, from: proven.frontier.size, guard, signed: newest?.note ?? null })
        const closed = await closeUp(tx, { from: proven.frontier, isGenuine }, file.add)
        const tilesChanged = await putTiles(tx, proven.tiles, proven.frontier.size)
        if (isWhole && !closed.changed && !tilesChanged) throw new GatebookError('ERR_LOG_INTACT')
        const { size, rootHash, quarantined, missing } = closed
        await file.finish({ quarantined, missing })
        const counts = { quarantined, missing }
        // What was signed beyond what is proven is not what the log has now.
        const { checkpoint } = proven
        const tree = { size: () => checkpoint.size, root: () => checkpoint.rootHash }
        await log.append(tx, [tell('quarantined', { epoch, tree, previous, counts }, context)])
        return { tree: { size: () => size, root: () => rootHash }, counts }
      })
      await lock.write(signTree(done.tree, epoch, key))
      return { epoch, size: done.tree.size(), previousSize: previous.size, ...done.counts }
    } finally {
      await file.close()
    }
  })
}
