/**
 * Compare the whole log with what is signed and with the database.
 *
 * Events: `log.audited` at the end; none when it is broken off.
 */
import type { AuditFinding, AuditOptions, AuditStep, RequestContext } from '../api.ts'
import { audit } from '../log/audit/audit.ts'
import type { PendingErasures } from '../log/audit/event-walk.ts'
import type { Explanations } from '../log/audit/explanations.ts'
import { createLogVerifier } from '../log/audit/log-verifier.ts'
import type { MacCheck } from '../log/entry-walk.ts'
import type { LogKeeper } from '../log/log-keeper.ts'
import { readKnownKeys } from '../log/log-key.ts'
import type { FoundEntry } from '../log/reconcile/evidence.ts'
import { reconcile as reconcileRows } from '../log/reconcile/reconcile.ts'
import { computeLeafHash } from '../proof/hash.ts'
import { readPrivateFile } from '../secret/private-file.ts'
import type { Store } from '../store/store.ts'
import { isGenuineErasure, toErasure } from './erasure-row.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export type AuditFlowParts = Pick<FlowParts, 'store' | 'log' | 'settings' | 'seal'> & {
  readonly keeper: Pick<LogKeeper, 'key' | 'guard'>
  readonly isGenuine: MacCheck
  /** When everything is closed: the end, and no failure. */
  readonly closing: AbortSignal
}

/** Of erasures that are under way, whose `log.erased` is still to come. There are as many as operators have asked for at once. */
async function readPending({ store, seal }: Pick<FlowParts, 'store' | 'seal'>): Promise<PendingErasures> {
  const rows = await store.read((db) => db.selectFrom('gatebook_erasure').selectAll().limit(1000).execute())
  const genuine = rows.filter((row) => isGenuineErasure(seal, row))
  return {
    items: genuine.map(toErasure).map(({ id, counts }) => ({ erasure: id, id: counts.events, net: counts.networks })),
    forged: rows.filter((row) => !genuine.includes(row)).map(({ id }) => id),
  }
}

async function* tellDiscrepancies(
  store: Store,
  isGenuine: MacCheck,
  { explainAbsence }: Pick<Explanations, 'explainAbsence'>,
): AsyncGenerator<AuditFinding | { readonly kind: 'checked'; readonly rows: number }, void, void> {
  // The audit has verified the others; what waits for its place is believed for its MAC alone.
  const isAuthentic = ({ eventId, logIndex, leaf, mac }: FoundEntry): boolean =>
    logIndex !== null || isGenuine(eventId, computeLeafHash(leaf), mac)
  const parts = { store, isAuthentic, explainAbsence }
  for await (const step of reconcileRows(parts)) {
    if (step.verdict === 'checked') {
      yield { kind: 'checked', rows: step.rows }
      continue
    }
    const { verdict, code, kind, id, detail } = step
    const severity = verdict === 'finding' ? 'finding' : 'note'
    yield { kind: 'finding', code, severity, index: null, eventId: null, detail: `${kind} ${id}: ${detail}` }
  }
}

export async function* auditLog(
  { store, log, settings, seal, keeper, isGenuine, closing }: AuditFlowParts,
  { checkpoints = [], keys, resume, reconcile = false, signal }: AuditOptions = {},
  context: RequestContext = {},
): AsyncGenerator<AuditStep, void, void> {
  const vkeys = keys ?? keeper.key?.verifierKeys(1) ?? (await readKnownKeys(store))
  const keyFrom = keys !== undefined ? 'caller' : keeper.key !== null ? 'settings' : 'database'
  const { guard } = keeper
  const steps = audit({
    store,
    isGenuine,
    verifier: vkeys.length === 0 ? null : createLogVerifier(vkeys),
    vkeys,
    keyFrom: vkeys.length === 0 ? null : keyFrom,
    files: checkpoints,
    readGuardNote: () =>
      guard !== null
        ? guard.peek()
        : settings.logGuard === ':memory:'
          ? Promise.resolve(null)
          : readPrivateFile(settings.logGuard),
    readPending: () => readPending({ store, seal }),
    ...(reconcile && { reconcile: (told) => tellDiscrepancies(store, isGenuine, told) }),
    resumeFile: resume,
    signal: signal === undefined ? closing : AbortSignal.any([closing, signal]),
  })
  for await (const step of steps) {
    if (step.kind !== 'summary') {
      yield step
      continue
    }
    const { entries, size, findings, counts } = step
    const source = eventSource(context, { kind: 'application' })
    const outcome = findings === 0 ? 'success' : 'failure'
    const data = { entries, size, findings }
    try {
      await store.transaction((tx) => log.append(tx, [{ ...source, type: 'log.audited', outcome, data }]))
      yield step
    } catch (error) {
      // A log that is broken may take no event, and a database may be read only: that must not hide what was found.
      settings.diagnostics.error({ err: error }, 'The audit could not leave its event in the log.')
      yield { kind: 'finding', code: 'not-recorded', severity: 'note', index: null, eventId: null, detail: '' }
      yield { ...step, counts: { ...counts, 'not-recorded': 1 } }
    }
  }
}
