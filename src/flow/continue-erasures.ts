/**
 * Goes on with erasures that were stopped, and empties what was under way when its user was erased.
 *
 * Events: `log.erased`, for each.
 */
import { sql } from 'kysely'
import { GatebookError } from '../errors.ts'
import type { ErasureScope } from '../log/erase-events.ts'
import { takeTurn } from '../log/forgetting-turn.ts'
import { SYSTEM_SOURCE } from '../session/expire-sessions.ts'
import type { Transaction } from '../store/transaction.ts'
import { generateId } from '../util/id.ts'
import { finish } from './erase.ts'
import {
  claimErasure,
  type Erasure,
  findErasure,
  insertErasure,
  isGenuineErasure,
  listUntouched,
  toErasure,
} from './erasure-row.ts'
import type { FlowParts } from './parts.ts'

/** An erasure that nobody has been at for so long was stopped. */
const STOPPED_MILLISECONDS = 60_000
const LATE_MILLISECONDS = 86_400_000
/** Of users who were erased, looked at in one statement. */
const LATE_PAGE = 200
/** What one run goes on with: each settles, and other housekeeping waits meanwhile. */
const FINISH_BATCH = 20

/** True when there may be more. */
export async function continueErasures(parts: FlowParts, signal: AbortSignal): Promise<boolean> {
  const stopped = await finishStopped(parts, signal)
  const late = await finishLate(parts, signal)
  return !signal.aborted && (stopped >= FINISH_BATCH || late >= FINISH_BATCH)
}

/** How many it has tried. What cannot be finished now has been touched, and is behind all others until a minute has passed. */
async function finishStopped(parts: FlowParts, signal: AbortSignal): Promise<number> {
  const { store, settings, seal } = parts
  const now = settings.clock.now()
  const rows = await store.read((db) => listUntouched(db, now - STOPPED_MILLISECONDS, FINISH_BATCH))
  for (const row of rows) {
    if (signal.aborted) break
    if (!(await store.transaction((tx) => claimErasure(tx, row, now), 'relaxed'))) continue
    if (!isGenuineErasure(seal, row)) {
      settings.diagnostics.error(
        { erasure: row.id },
        'An erasure in the database was not begun by this installation: somebody has written it there. Run gatebook log audit.',
      )
      continue
    }
    await tryToFinish(parts, row.id, async () => {
      const erasure = toErasure(row)
      return finish(parts, erasure, { actor: erasure.actor })
    })
  }
  return rows.length
}

/** How many it has tried. Whoever was erased and is named has been named since. */
async function finishLate(parts: FlowParts, signal: AbortSignal): Promise<number> {
  const { store, settings } = parts
  let tried = 0
  let after = { id: '', erased_at: settings.clock.now() - LATE_MILLISECONDS }
  while (tried < FINISH_BATCH && !signal.aborted) {
    const page = await store.read((db) => readErased(db, after, LATE_PAGE))
    for (const { id, named } of page) {
      if (Number(named) === 0) continue
      if (tried >= FINISH_BATCH || signal.aborted) break
      const late = await insertLate(parts, { subjectId: id, identifiers: [] })
      if (late === null) continue
      tried += 1
      await tryToFinish(parts, late.id, () => finish(parts, late, SYSTEM_SOURCE))
    }
    const last = page.at(-1)
    if (last === undefined || page.length < LATE_PAGE) break
    after = { id: last.id, erased_at: Number(last.erased_at) }
  }
  return tried
}

/** In the order in which they were erased, with whether an event names them. */
function readErased(
  db: Pick<Transaction['db'], 'selectFrom'>,
  after: { readonly id: string; readonly erased_at: number },
  limit: number,
): Promise<readonly { id: string; erased_at: number | null; named: number }[]> {
  return db
    .selectFrom('gatebook_subject as erased')
    .select(['erased.id', 'erased.erased_at'])
    .select((eb) =>
      // A boolean comes back as something else from each engine.
      eb
        .case()
        .when(eb.exists(eb.selectFrom('gatebook_event').select('number').whereRef('subject_id', '=', 'erased.id')))
        .then(sql.lit(1))
        .else(sql.lit(0))
        .end()
        .as('named'),
    )
    .where('erased.erased_at', '>=', after.erased_at)
    .where(({ eb, or }) => or([eb('erased.erased_at', '>', after.erased_at), eb('erased.id', '>', after.id)]))
    .orderBy('erased.erased_at')
    .orderBy('erased.id')
    .limit(sql.lit(limit))
    .execute()
}

/** One that cannot be finished must not keep the others from it. */
async function tryToFinish({ settings }: FlowParts, erasure: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run()
  } catch (error) {
    // Waits until the hold is released.
    if (error instanceof GatebookError && error.code === 'ERR_HELD') return
    settings.diagnostics.error({ err: error, erasure }, 'An erasure could not be finished; it is tried again.')
  }
}

/** Null when one of the same user is not finished, which takes this along. */
async function insertLate({ store, settings, seal }: FlowParts, scope: ErasureScope): Promise<Erasure | null> {
  const now = settings.clock.now()
  const row = { scope, actor: SYSTEM_SOURCE.actor, reason: 'under-way', reference: null, now } as const
  return store.transaction(async (tx) => {
    await takeTurn(tx)
    if ((await findErasure(tx.db, seal, scope)) !== null) return null
    return insertErasure(tx, seal, { ...row, id: generateId('erasure', now) })
  })
}
