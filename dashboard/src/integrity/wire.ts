import type { EventItem } from '../api/wire.ts'

/** `GET /admin/api/integrity`, as far as these pages read it. */
export interface IntegrityReport {
  readonly status: {
    readonly signing: boolean
    readonly stopped: { readonly code: string; readonly detail: string; readonly since: number } | null
    readonly waiting: number
    readonly missing: number
  }
  readonly problem: { readonly code: string; readonly detail: string } | null
  readonly size: number | null
  readonly pruned: number | null
  readonly epoch: number | null
  readonly signed: {
    readonly origin: string
    readonly size: number
    /** Base64. */
    readonly root_hash: string
    readonly signed_at: number
  } | null
  readonly checkpoint: { readonly note: string; readonly signed_at: number } | null
  readonly published: readonly {
    readonly epoch: number
    readonly size: number
    readonly signed_at: number
    readonly witnesses: readonly string[]
  }[]
  readonly anchors: readonly AnchorItem[]
  readonly last_audit: EventItem | null
  readonly verifier_keys: readonly string[]
}

export interface AnchorItem {
  readonly name: string
  readonly kind: string | null
  /** `current`, `behind`, `failing` or `forked`; null where the process that answers does not know. */
  readonly state: string | null
  readonly size: number
  readonly last_success_at: number | null
  readonly last_error: string | null
}

/** `GET /admin/api/audits/current`. */
export interface AuditRun {
  readonly id: string
  readonly state: 'running' | 'done' | 'failed'
  readonly failure: string | null
  readonly phase: string | null
  readonly done: number
  readonly total: number | null
  readonly rate: number | null
  readonly findings: readonly AuditFinding[]
  readonly findings_total: number
  readonly started_at: number
  readonly ended_at: number | null
}

export interface AuditFinding {
  readonly code: string
  readonly severity: string
  readonly index: number | null
  readonly event_id: string | null
  readonly detail: string
}
