import type { Store } from '../store/store.ts'
import type { Clock } from '../util/clock.ts'
import type { NumberRange } from './number-gaps.ts'
import {
  FROM_THE_START,
  formatRevocationCursor,
  parseRevocationCursor,
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
   * so many milliseconds. Throws ERR_CURSOR_INVALID.
   */
  read(after: string | undefined, waitMilliseconds: number): Promise<RevocationPage>
}

export function createRevocationFeed(store: Store, list: RevocationList, clock: Clock): RevocationFeed {
  /** Most readers are at the same place, and one look is enough for all who ask at the same time. */
  const reading = new Map<string, Promise<RevocationPage>>()

  /** The version is that of before: a look that began earlier may have missed what this reader was woken for. */
  function readOnce(after: string, version: number): Promise<RevocationPage> {
    const place = `${version} ${after}`
    let page = reading.get(place)
    if (page === undefined) {
      page = readPage(after === '' ? FROM_THE_START : parseRevocationCursor(after)).finally(() => reading.delete(place))
      reading.set(place, page)
    }
    return page
  }

  async function readPage(cursor: RevocationCursor): Promise<RevocationPage> {
    const asOf = clock.now()
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
    async read(after = '', waitMilliseconds) {
      const until = performance.now() + waitMilliseconds
      if (after !== '') parseRevocationCursor(after)
      for (;;) {
        const version = list.version()
        const page = await readOnce(after, version)
        const left = until - performance.now()
        if (page.entries.length > 0 || page.more || left <= 0) return page
        if (!(await list.change(version, left))) return page
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
  if (!more) return { last, missing: within(unseen, open) }
  // What is behind a page that is full was not looked at.
  const looked = [{ from: 0, to: newest }]
  return { last, missing: [...within(within(unseen, looked), open), ...without(unseen, looked)] }
}
