import { sql } from 'kysely'
import type { DialectName } from '../../store/dialect.ts'
import type { Check } from '../check.ts'
import type { FindingCode } from '../findings.ts'

const NOW: Readonly<Record<Exclude<DialectName, 'sqlite'>, string>> = {
  postgres: 'SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint) AS now',
  mysql: 'SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS now',
}
const TRIES = 5

/** Against the clock of the database's machine, half of the round trip taken off; the quickest of some tries. */
export const clock: Check = {
  name: 'clock',
  needsDatabase: true,
  async run({ database, now }) {
    const { kysely, traits } = database!
    if (traits.name === 'sqlite') return [{ code: 'clock-same' }]
    let best = { trip: Number.POSITIVE_INFINITY, off: 0 }
    for (let count = 0; count < TRIES; count++) {
      const asked = now()
      const { rows } = await sql.raw<{ now: number | string }>(NOW[traits.name]).execute(kysely)
      const trip = now() - asked
      if (trip < best.trip) best = { trip, off: Number(rows[0]!.now) - (asked + trip / 2) }
    }
    const milliseconds = Math.round(best.off)
    const off = Math.max(0, Math.abs(best.off) - best.trip / 2)
    return [{ code: judge(off), figures: { milliseconds } }]
  },
}

function judge(off: number): FindingCode {
  if (off > 30_000) return 'clock-far-off'
  if (off > 5000) return 'clock-off'
  return off > 1000 ? 'clock-drifts' : 'clock-ok'
}
