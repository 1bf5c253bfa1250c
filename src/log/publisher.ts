import type { Diagnostics } from '../options.ts'
import { openCheckpoint } from '../proof/checkpoint.ts'
import { parseNote } from '../proof/note.ts'
import { ProofError } from '../proof/proof-error.ts'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import { comparePlaces, findNewestCheckpoint } from './checkpoint-row.ts'
import type { LogKey } from './log-key.ts'
import type { SignedCheckpoint } from './record-checkpoint.ts'

/** So many entries are worth a publication of their own. */
const MANY_ENTRIES = 1000

/**
 * Of the checkpoints that are signed with each batch, one now and then is published: it is kept, served, and handed to the
 * anchors. Any number of processes may run it, each with its own period.
 *
 * What is published is what the guard has. Whatever the database says in its place was written by somebody else, and would
 * otherwise get to the anchors, which forget nothing.
 */
export interface Publisher {
  /** Publishes this checkpoint, which the guard has, when it is time. */
  publishDue(signed: SignedCheckpoint): Promise<void>
  /** Publishes it now, unless it was published by this process. */
  publish(signed: SignedCheckpoint): Promise<void>
}

export interface PublisherParts {
  readonly store: Store
  readonly clock: Clock
  readonly diagnostics: Diagnostics
  readonly checkpointSeconds: number
  readonly key: Pick<LogKey, 'policy'>
  /** Called when it is committed. */
  readonly onPublished: (checkpoint: SignedCheckpoint) => void
}

export function createPublisher(parts: PublisherParts): Publisher {
  const { store, clock, diagnostics, checkpointSeconds, key, onPublished } = parts
  let publishedAt = Number.NEGATIVE_INFINITY
  let published = { epoch: 0, size: 0 }
  let forged = ''

  async function publish(signed: SignedCheckpoint): Promise<void> {
    if (signed.size === 0 || comparePlaces(signed, published) === 0) return
    const wasPublished = await putPublished(store, signed, clock.now())
    // After a start, the anchors catch up by themselves. Later on, that somebody has noted it as published is no reason to believe it.
    const isKnown = wasPublished && published.epoch === 0
    publishedAt = clock.now()
    published = { epoch: signed.epoch, size: signed.size }
    if (!isKnown) onPublished(signed)
    await lookForForged(signed)
  }

  /** Readers take the newest row for the newest checkpoint, so that one that nobody has signed hides all others. */
  async function lookForForged(signed: SignedCheckpoint): Promise<void> {
    const newest = await findNewestCheckpoint(store)
    if (newest === null || comparePlaces(newest, signed) <= 0 || newest.note === forged) return
    try {
      // Another process may have signed meanwhile.
      if (openCheckpoint(newest.note, key.policy(newest.epoch)).checkpoint.size === newest.size) return
    } catch (error) {
      if (!(error instanceof ProofError)) throw error
    }
    forged = newest.note
    diagnostics.error(
      { epoch: newest.epoch, size: newest.size },
      'A checkpoint in the database is not one that the log has signed: somebody has written it there. It is not published. Run gatebook log audit.',
    )
  }

  return {
    async publishDue(signed) {
      const waited = clock.now() - publishedAt
      // A clock that was set back must not hold it up.
      const due = waited < 0 || waited >= checkpointSeconds * 1000 || signed.epoch !== published.epoch
      if (due || signed.size - published.size >= MANY_ENTRIES) await publish(signed)
    },
    publish,
  }
}

/** Makes the row be this checkpoint, whatever it was; what witnesses have signed of it stays. Whether it was published before. */
async function putPublished(store: Store, signed: SignedCheckpoint, now: number): Promise<boolean> {
  const { epoch, size, note, signedAt } = signed
  return store.transaction(async ({ db, traits }) => {
    const row = await db
      .selectFrom('gatebook_checkpoint')
      .select(['note', 'published_at'])
      .where('epoch', '=', epoch)
      .where('size', '=', size)
      .executeTakeFirst()
    if (row !== undefined && isSameText(row.note, note)) {
      if (row.published_at !== null) return true
      await db
        .updateTable('gatebook_checkpoint')
        .set({ published_at: now })
        .where('epoch', '=', epoch)
        .where('size', '=', size)
        .execute()
      return false
    }
    await db.deleteFrom('gatebook_checkpoint').where('epoch', '=', epoch).where('size', '=', size).execute()
    const values = { epoch, size, note, signed_at: signedAt, published_at: now, proof: null }
    await ifAbsent(db.insertInto('gatebook_checkpoint').values(values), traits, 'epoch', 'size').execute()
    return false
  })
}

function isSameText(note: string, other: string): boolean {
  try {
    return parseNote(note).text === parseNote(other).text
  } catch {
    return false
  }
}
