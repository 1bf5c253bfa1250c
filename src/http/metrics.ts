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
  {
    name: 'gatebook_log_signed_entries',
    about: 'Entries under the newest checkpoint that this process has signed.',
    value: (gate) => gate.log.status().signed?.size ?? 0,
  },
  {
    name: 'gatebook_log_events_waiting',
    about: 'Events of this process that no signed checkpoint covers yet.',
    value: (gate) => gate.log.status().waiting,
  },
  {
    name: 'gatebook_log_events_missing',
    about: 'Events of this process that should be under a signed checkpoint and are not. Raise an alarm above 0.',
    value: (gate) => gate.log.status().missing,
  },
  {
    name: 'gatebook_log_stopped',
    about: '1 while the log in the database does not extend what was signed. Raise an alarm above 0.',
    value: (gate) => (gate.log.status().stopped === null ? 0 : 1),
  },
]

/** Prometheus text format 0.0.4. All of them are gauges. */
export function formatMetrics(gate: Gatebook): string {
  return METRICS.map(
    ({ name, about, value }) => `# HELP ${name} ${about}\n# TYPE ${name} gauge\n${name} ${value(gate)}\n`,
  ).join('')
}
