import type { AuditFinding } from '../../api.ts'
import { type AuditState, KEPT_FINDINGS } from './audit-state.ts'
import { AUDIT_FINDINGS, type FindingCode } from './findings.ts'

/** Where the checks leave what they find, until whoever reads the audit has taken it. */
export interface Report {
  add(code: FindingCode, detail: string, entry?: { readonly index?: number; readonly eventId?: unknown }): void
  /** What was found since the last call, in the order in which it was found. */
  take(): AuditFinding[]
}

export function createReport(state: AuditState): Report {
  let found: AuditFinding[] = []
  return {
    add(code, detail, { index, eventId } = {}) {
      const { severity } = AUDIT_FINDINGS[code]
      const id = eventId === undefined ? null : String(eventId).slice(0, 64)
      const finding: AuditFinding = { kind: 'finding', code, severity, index: index ?? null, eventId: id, detail }
      count(state, finding)
      if (state.kept.length < KEPT_FINDINGS) state.kept.push(finding)
      found.push(finding)
    },
    take() {
      const taken = found
      found = []
      return taken
    },
  }
}

export function count(state: AuditState, { code, severity }: Pick<AuditFinding, 'code' | 'severity'>): void {
  state.counts[code] = (state.counts[code] ?? 0) + 1
  if (severity === 'finding') state.findings += 1
}
