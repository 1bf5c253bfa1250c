import { GatebookError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import { readFeedEpoch } from './feed-epoch.ts'
import type { NumberRange } from './number-gaps.ts'
import {
  formatRevocationCursor,
  parseRevocationCursor,
  RANGES_MOST,
  type RevocationCursor,
  within,
  without,
} from './revocation-cursor.ts'
import { type RevocationRow, type RevocationRows, readRevocationRows } from './revocation-rows.ts'
import type { RevocationList } from './revocations.ts'

/** What somebody who keeps a list of revoked sessions of their own has not read yet. */
export interface RevocationPage {
  readonly entries: readonly RevocationRow[]
  /** Where to go on. */
  readonly next: string
  /** There is more to read at once. */
  readonly more: boolean
  /** Epoch milliseconds: everything that was committed before is known with this page. */
  readonly asOf: number
}

export interface RevocationFeed {
  /**
   * `after` is the `next` of the page before; from the start without one. When there is nothing new, waits for it up to
   * so many milliseconds. Throws ERR_CURSOR_INVALID, also for a place of before the numbers began again: then the reader
   * starts without one.
   */
  read(after: string | undefined, waitMilliseconds: number, signal?: AbortSignal): Promise<RevocationPage>
}

const REPEAT_MILLISECONDS = 1000

export function createRevocationFeed(store: Store, list: RevocationList, clock: Clock): RevocationFeed {
  /** Most readers are at the same place, and one look is enough for all who ask at the same time. */
  const reading = new Map<string, Promise<RevocationPage>>()

  /** The version is that of before: a look that began earlier may have missed what this reader was woken for. */
  function readOnce(after: string, version: number): Promise<RevocationPage> {
    const place = `${version} ${after}`
    let page = reading.get(place)
    if (page === undefined) {
      page = readPage(after === '' ? null : parseRevocationCursor(after)).finally(() => reading.delete(place))
      reading.set(place, page)
    }
    return page
  }

  async function readPage(given: RevocationCursor | null): Promise<RevocationPage> {
    const asOf = clock.now()
    const epoch = await readFeedEpoch(store)
    if (given !== null && given.epoch !== epoch) throw new GatebookError('ERR_CURSOR_INVALID')
    const cursor = given ?? { epoch, last: 0, missing: [] }
    // Before the rows: what is found missing in them may have shown up for the list in between.
    const open = openRanges(list)
    const read = await readRevocationRows(store, cursor)
    return {
      entries: read.rows.filter(({ forgetAt }) => forgetAt > asOf),
      next: formatRevocationCursor(advance(cursor, read, open)),
      more: read.more,
      asOf,
    }
  }

  return {
    async read(after = '', waitMilliseconds, signal) {
      const until = performance.now() + waitMilliseconds
      const cursor = after === '' ? null : parseRevocationCursor(after)
      for (let slowed = false; ; slowed = true) {
        const version = list.version()
        const page = await readOnce(after, version)
        const left = until - performance.now()
        // Ranges that were joined hold rows that this reader has, and they come with every answer: not at once each time.
        const repeats = cursor !== null && cursor.missing.length >= RANGES_MOST && !slowed
        if ((page.entries.length > 0 && !repeats) || page.more || left <= 0) return page
        if (!(await list.change(version, repeats ? Math.min(left, REPEAT_MILLISECONDS) : left, signal))) return page
      }
    },
  }
}

/** Numbers whose rows may still show up. */
function openRanges({ gaps }: RevocationList): readonly NumberRange[] {
  return [...gaps.list(), { from: gaps.last + 1, to: Number.MAX_SAFE_INTEGER }]
}

/** Where a reader is after these rows: what is missing below the last one stays missing while its row may show up. */
function advance(
  cursor: RevocationCursor,
  { rows, more }: RevocationRows,
  open: readonly NumberRange[],
): RevocationCursor {
  const newest = rows.at(-1)?.seq ?? 0
  const last = Math.max(cursor.last, newest)
  const holes = last > cursor.last ? [...cursor.missing, { from: cursor.last + 1, to: last }] : cursor.missing
  const unseen = without(
    holes,
    rows.map(({ seq }) => ({ from: seq, to: seq })),
  )
  const { epoch } = cursor
  if (!more) return { epoch, last, missing: within(unseen, open) }
  // What is behind a page that is full was not looked at.
  const looked = [{ from: 0, to: newest }]
  return { epoch, last, missing: [...within(within(unseen, looked), open), ...without(unseen, looked)] }
}
