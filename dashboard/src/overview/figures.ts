import type { Api } from '../api/api.ts'
import type { Overview } from '../api/wire.ts'
import { countActive } from './active-sessions.ts'

export const SERIES = ['logins', 'failures', 'refreshes', 'ended'] as const

export interface Figures {
  readonly overview: Overview
  /** Sessions at the end of each bucket; null where that cannot be told. */
  readonly active: readonly number[] | null
}

const BUCKETS = 96
/** Less than this is no time between the end of a window and now. */
const NOW = 2000

/** What happened in a window, in numbers. Instants are epoch milliseconds. */
export async function readFigures(api: Api, from: number, to: number, signal: AbortSignal): Promise<Figures> {
  const overview = await api.get<Overview>('/overview', { from, to, buckets: BUCKETS }, signal)
  // From where the server has ended, which counts in whole steps: nothing is counted twice.
  const rest = { from: overview.to, to: Date.now(), buckets: 1 }
  const after = rest.to - rest.from < NOW ? null : await api.get<Overview>('/overview', rest, signal)
  return { overview, active: countActive(overview, after) }
}
