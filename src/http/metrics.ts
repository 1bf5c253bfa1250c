import type { Gatebook } from '../api.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

interface Metric {
  readonly name: string
  readonly about: string
  value(gate: Gatebook): number
}

const METRICS: readonly Metric[] = [
  {
    name: 'gatebook_revocation_staleness_seconds',
    about: 'Seconds since this process has last looked what others have revoked.',
    value: (gate) => gate.revocations.status().staleSeconds,
  },
  {
    name: 'gatebook_revocation_entries',
    about: 'Sessions whose access tokens this process refuses before they expire.',
    value: (gate) => gate.revocations.status().entries,
  },
]

/** Prometheus text format 0.0.4. All of them are gauges. */
export function formatMetrics(gate: Gatebook): string {
  return METRICS.map(
    ({ name, about, value }) => `# HELP ${name} ${about}\n# TYPE ${name} gauge\n${name} ${value(gate)}\n`,
  ).join('')
}
