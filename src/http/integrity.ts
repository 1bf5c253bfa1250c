import { z } from 'zod'
import type { AuditRun, LogIntegrity } from '../api.ts'
import { described, eventSchema, named } from './schema.ts'
import { toWireEvent, type WireEvent } from './wire.ts'

/** What the routes of the record answer: the schema of each, and the mapping to it. */

const text = z.string().nullable()
const integer = z.int().nullable()

export interface WireIntegrity {
  status: {
    signing: boolean
    signed: { epoch: number; size: number; signed_at: number } | null
    stopped: { code: string; detail: string; since: number } | null
    waiting: number
    missing: number
  }
  problem: { code: string; detail: string } | null
  size: number | null
  pruned: number | null
  epoch: number | null
  signed: { origin: string; epoch: number; size: number; root_hash: string; signed_at: number } | null
  checkpoint: { note: string; signed_at: number } | null
  published: { epoch: number; size: number; signed_at: number; witnesses: string[] }[]
  anchors: {
    name: string
    kind: string | null
    state: string | null
    size: number
    last_success_at: number | null
    last_error: string | null
  }[]
  last_audit: WireEvent | null
  verifier_key: string | null
  verifier_keys: string[]
}

export const integritySchema: z.ZodType<WireIntegrity> = named(
  'Integrity',
  z.object({
    status: z.object({
      signing: z.boolean(),
      signed: z.object({ epoch: z.int(), size: z.int(), signed_at: z.int() }).nullable(),
      stopped: z.object({ code: z.string(), detail: z.string(), since: z.int() }).nullable(),
      waiting: z.int(),
      missing: z.int(),
    }),
    problem: described(z.object({ code: z.string(), detail: z.string() }).nullable(), {
      description: 'Why the database cannot be believed; what follows is null or empty then.',
    }),
    size: integer,
    pruned: integer,
    epoch: integer,
    signed: z
      .object({ origin: z.string(), epoch: z.int(), size: z.int(), root_hash: z.string(), signed_at: z.int() })
      .nullable(),
    checkpoint: described(z.object({ note: z.string(), signed_at: z.int() }).nullable(), {
      description: 'C2SP tlog-checkpoint: the newest signed note.',
    }),
    published: z.array(z.object({ epoch: z.int(), size: z.int(), signed_at: z.int(), witnesses: z.array(z.string()) })),
    anchors: z.array(
      z.object({
        name: z.string(),
        kind: text,
        state: text,
        size: z.int(),
        last_success_at: integer,
        last_error: text,
      }),
    ),
    last_audit: eventSchema.nullable(),
    verifier_key: text,
    verifier_keys: z.array(z.string()),
  }),
  'What is known of the record.',
)

export function toWireIntegrity(integrity: LogIntegrity): WireIntegrity {
  const { status, signed } = integrity
  return {
    status: {
      signing: status.signing,
      signed:
        status.signed === null
          ? null
          : { epoch: status.signed.epoch, size: status.signed.size, signed_at: status.signed.signedAt },
      stopped: status.stopped === null ? null : { ...status.stopped },
      waiting: status.waiting,
      missing: status.missing,
    },
    problem: integrity.problem === null ? null : { ...integrity.problem },
    size: integrity.size,
    pruned: integrity.pruned,
    epoch: signed?.epoch ?? null,
    signed:
      signed === null
        ? null
        : {
            origin: signed.origin,
            epoch: signed.epoch,
            size: signed.size,
            root_hash: signed.rootHash,
            signed_at: signed.signedAt,
          },
    checkpoint: signed === null ? null : { note: signed.note, signed_at: signed.signedAt },
    published: integrity.published.map(({ epoch, size, signedAt, witnesses }) => ({
      epoch,
      size,
      signed_at: signedAt,
      witnesses: [...witnesses],
    })),
    anchors: integrity.anchors.map(({ name, kind, state, size, lastSuccessAt, lastError }) => ({
      name,
      kind,
      state,
      size,
      last_success_at: lastSuccessAt,
      last_error: lastError,
    })),
    last_audit: integrity.lastAudit === null ? null : toWireEvent(integrity.lastAudit),
    verifier_key: integrity.verifierKeys.at(-1) ?? null,
    verifier_keys: [...integrity.verifierKeys],
  }
}

export const startedAuditSchema: z.ZodType<{ audit_id: string }> = z.object({ audit_id: z.string() })

export interface WireAuditRun {
  id: string
  state: 'running' | 'done' | 'failed'
  failure: string | null
  phase: string | null
  done: number
  total: number | null
  rate: number | null
  findings: { code: string; severity: string; index: number | null; event_id: string | null; detail: string }[]
  findings_total: number
  started_at: number
  ended_at: number | null
}

export const auditRunSchema: z.ZodType<WireAuditRun> = named(
  'AuditRun',
  z.object({
    id: z.string(),
    state: z.enum(['running', 'done', 'failed']),
    failure: text,
    phase: text,
    done: z.int(),
    total: integer,
    rate: described(integer, { description: 'Entries, or rows, a second, of this phase.' }),
    findings: described(
      z.array(z.object({ code: z.string(), severity: z.string(), index: integer, event_id: text, detail: z.string() })),
      { description: 'The first thousand.' },
    ),
    findings_total: z.int(),
    started_at: z.int(),
    ended_at: integer,
  }),
  'An audit in this process, as far as it has come.',
)

export function toWireAuditRun(run: AuditRun): WireAuditRun {
  return {
    id: run.id,
    state: run.state,
    failure: run.failure,
    phase: run.phase,
    done: run.done,
    total: run.total,
    rate: run.rate,
    findings: run.findings.map(({ code, severity, index, eventId, detail }) => ({
      code,
      severity,
      index,
      event_id: eventId,
      detail,
    })),
    findings_total: run.findingsTotal,
    started_at: run.startedAt,
    ended_at: run.endedAt,
  }
}
