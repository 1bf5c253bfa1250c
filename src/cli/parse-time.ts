import { GatebookError } from '../errors.ts'

const UNITS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}:?\d{2})?)?$/i

/**
 * Epoch milliseconds of `15m`, `24h`, `7d` (so long before now), of an ISO 8601 date or date-time (local unless it has an
 * offset; also as this program prints it) or of epoch milliseconds. Throws ERR_USAGE naming the flag.
 */
export function parseTime(text: string, flag: string, now: number): number {
  const relative = /^(\d{1,6})([smhdw])$/i.exec(text)
  if (relative !== null) return now - Number(relative[1]) * (UNITS[relative[2]!.toLowerCase()] ?? 0)
  // Eleven digits and more: epoch seconds of this century have ten, and would be taken for January 1970.
  if (/^\d{11,15}$/.test(text)) return Number(text)
  const iso = ISO.exec(text)
  if (iso !== null) {
    const [, date, time = '00:00', offset = ''] = iso
    const at = Date.parse(`${date}T${time}${offset.toUpperCase()}`)
    // Date.parse takes 31 February for 2 March.
    const exists = new Date(`${date}T00:00:00Z`).getUTCDate() === Number(date?.slice(8))
    if (Number.isFinite(at) && exists) return at
  }
  throw new GatebookError('ERR_USAGE', {
    detail: `${flag} takes a time such as 15m, 24h, 7d, 2025-11-24, 2025-11-24T08:00+01:00 or epoch milliseconds, not ${JSON.stringify(text)}.`,
  })
}
