import type { Api } from '../api/api.ts'
import { type Loaded, useLoad } from '../parts/use-load.ts'
import { tellLogKeys } from './log-keys.ts'
import type { IntegrityReport } from './wire.ts'

/** What is known of the record. */
export function useIntegrity(api: Api): Loaded<IntegrityReport> {
  return useLoad('integrity', (signal) => readIntegrity(api, signal))
}

export async function readIntegrity(api: Api, signal?: AbortSignal): Promise<IntegrityReport> {
  const report = await api.get<IntegrityReport>('/integrity', {}, signal)
  tellLogKeys(report.verifier_keys)
  return report
}
