import { GatebookError } from '../errors.ts'
import type { NumberRange } from './number-gaps.ts'

/** How far somebody has read: everything up to `last`, but for what was missing there. */
export interface RevocationCursor {
  /** Of the numbers; places of another one mean nothing. */
  readonly epoch: string
  readonly last: number
  /** In the order of the numbers, none of them touching another. */
  readonly missing: readonly NumberRange[]
}

/** More are joined with their neighbours: then something is read twice. */
export const RANGES_MOST = 64
const LENGTH_MOST = 4096
const RANGE = String.raw`\d{1,16}(?:-\d{1,16})?`
const FORM = new RegExp(`^[\\w-]{8}\\.\\d{1,16}(?::${RANGE}(?:,${RANGE})*)?$`)

/** `Zk3Jq0vY.1042`, or `Zk3Jq0vY.1042:1007,1010-1012`: opaque to whoever sends it back. */
export function formatRevocationCursor({ epoch, last, missing }: RevocationCursor): string {
  const ranges = joinNearest(missing).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
  return `${epoch}.${last}${ranges.length === 0 ? '' : `:${ranges.join(',')}`}`
}

/** Throws ERR_CURSOR_INVALID. */
export function parseRevocationCursor(text: string): RevocationCursor {
  if (text.length > LENGTH_MOST || !FORM.test(text)) throw new GatebookError('ERR_CURSOR_INVALID')
  const [epoch = '', place = ''] = text.split('.')
  const [last = '', ranges] = place.split(':')
  const missing = (ranges?.split(',') ?? []).map((range) => {
    const [from, to = from] = range.split('-').map(Number)
    return { from: from!, to: to! }
  })
  let before = 0
  for (const { from, to } of missing) {
    if (from <= before || to < from || to > Number(last)) throw new GatebookError('ERR_CURSOR_INVALID')
    before = to
  }
  if (!Number.isSafeInteger(Number(last)) || missing.length > RANGES_MOST) throw new GatebookError('ERR_CURSOR_INVALID')
  return { epoch, last: Number(last), missing }
}

function joinNearest(ranges: readonly NumberRange[]): readonly NumberRange[] {
  const joined = [...ranges]
  while (joined.length > RANGES_MOST) {
    let best = 0
    const distance = (at: number) => joined[at + 1]!.from - joined[at]!.to
    for (let at = 1; at + 1 < joined.length; at++) if (distance(at) < distance(best)) best = at
    joined.splice(best, 2, { from: joined[best]!.from, to: joined[best + 1]!.to })
  }
  return joined
}

/** What of `ranges` is in none of `holes`; both in order. */
export function without(ranges: readonly NumberRange[], holes: readonly NumberRange[]): NumberRange[] {
  const left: NumberRange[] = []
  for (const range of ranges) {
    let from = range.from
    for (const hole of holes) {
      if (hole.to < from || hole.from > range.to) continue
      if (hole.from > from) left.push({ from, to: hole.from - 1 })
      from = Math.max(from, hole.to + 1)
    }
    if (from <= range.to) left.push({ from, to: range.to })
  }
  return left
}

/** What of `ranges` is in one of `others`; both in order. */
export function within(ranges: readonly NumberRange[], others: readonly NumberRange[]): NumberRange[] {
  const both: NumberRange[] = []
  for (const range of ranges) {
    for (const other of others) {
      const from = Math.max(range.from, other.from)
      const to = Math.min(range.to, other.to)
      if (from <= to) both.push({ from, to })
    }
  }
  return both
}
