const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}:?\d{2})?)?$/i

/** For whoever typed something else. */
export const INSTANT_EXAMPLES = '15m, 24h, 7d, 2025-11-24, 2025-11-24T08:00+01:00 or epoch milliseconds'

export interface InstantOptions {
  /** Epoch milliseconds, for what is relative. */
  readonly now: number
  /** IANA name, for what has no offset; the zone of this machine unless given. Throws RangeError for one that is none. */
  readonly timeZone?: string
}

/**
 * Epoch milliseconds of `15m`, `24h`, `7d` (so long before now), of an ISO 8601 date or date-time (in the time zone unless it
 * has an offset; also with a blank for the T) or of epoch milliseconds. Null for anything else.
 */
export function parseInstant(text: string, { now, timeZone }: InstantOptions): number | null {
  const relative = /^(\d{1,6})([smhdw])$/i.exec(text)
  if (relative !== null) return now - Number(relative[1]) * (UNITS[relative[2]!.toLowerCase()] ?? 0)
  // Eleven digits and more: epoch seconds of this century have ten, and would be taken for January 1970.
  if (/^\d{11,15}$/.test(text)) return Number(text)
  const iso = ISO.exec(text)
  if (iso === null) return null
  const [, date, time = '00:00', offset = ''] = iso
  // Date.parse takes 31 February for 2 March.
  if (new Date(`${date}T00:00:00Z`).getUTCDate() !== Number(date?.slice(8))) return null
  const zoned = offset === '' && timeZone !== undefined
  const at = Date.parse(`${date}T${time}${zoned ? 'Z' : offset.toUpperCase()}`)
  if (!Number.isFinite(at)) return null
  return zoned ? fromWallClock(at, timeZone) : at
}

/** The instant at which clocks in the zone show what `wall` would be in UTC; the later side of an hour that is left out. */
function fromWallClock(wall: number, timeZone: string): number {
  const first = wall - offsetAt(wall, timeZone)
  return wall - offsetAt(first, timeZone)
}

/** How far clocks in the zone are ahead of UTC, in milliseconds. */
function offsetAt(at: number, timeZone: string): number {
  const parts: Record<string, number> = {}
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, calendar: 'iso8601', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  })
  for (const { type, value } of format.formatToParts(at)) parts[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000
}
