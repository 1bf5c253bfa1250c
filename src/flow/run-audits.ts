/**
 * Audit the log in this process, for whoever cannot wait for it: one at a time, and what it has found so far can be asked for.
 *
 * Events: those of `auditLog`.
 */
import type { AuditFinding, AuditRun, AuditStep, RequestContext } from '../api.ts'
import { GatebookError, isGatebookError } from '../errors.ts'
import type { Diagnostics } from '../options.ts'
import type { Clock } from '../util/clock.ts'
import { generateId } from '../util/id.ts'

/** Of a log that is broken everywhere, the first ones say it. */
const FINDINGS_KEPT = 1000

export interface Audits {
  /** Throws ERR_AUDIT_RUNNING. */
  start(options: { readonly reconcile?: boolean }, context: RequestContext): Promise<AuditRun>
  /** The one that runs, or the last one that ran here. */
  current(): AuditRun | null
  /** Resolves when it has ended; false when none ran. */
  cancel(): Promise<boolean>
}

export interface AuditsParts {
  readonly clock: Clock
  readonly diagnostics: Diagnostics
  readonly audit: (
    options: { readonly reconcile: boolean; readonly signal: AbortSignal },
    context: RequestContext,
  ) => AsyncIterable<AuditStep>
}

type State = { -readonly [K in keyof AuditRun]: AuditRun[K] } & { findings: AuditFinding[] }

interface Run {
  readonly state: State
  readonly stopping: AbortController
  /** Of the phase that it is in. */
  phaseBegun: number
  ended: Promise<void>
}

export function createAudits({ clock, diagnostics, audit }: AuditsParts): Audits {
  let run: Run | null = null

  async function follow(current: Run, reconcile: boolean, context: RequestContext): Promise<void> {
    const { state, stopping } = current
    try {
      for await (const step of audit({ reconcile, signal: stopping.signal }, context)) {
        note(current, step)
        // What is read from SQLite is there at once: everything else has its turn in between.
        await new Promise((resolve) => setImmediate(resolve))
      }
      // Broken off, there is no summary.
      if (state.summary === null) throw new GatebookError('ERR_AUDIT_CANCELLED')
      state.state = 'done'
    } catch (error) {
      state.state = 'failed'
      state.failure = isGatebookError(error) ? error.code : 'ERR_INTERNAL'
      if (state.failure !== 'ERR_AUDIT_CANCELLED') diagnostics.error({ err: error }, 'An audit has failed.')
    }
    state.endedAt = clock.now()
  }

  return {
    async start({ reconcile = false }, context) {
      if (run?.state.state === 'running') throw new GatebookError('ERR_AUDIT_RUNNING')
      const current: Run = {
        state: emptyState(clock.now()),
        stopping: new AbortController(),
        phaseBegun: performance.now(),
        ended: Promise.resolve(),
      }
      run = current
      current.ended = follow(current, reconcile, context)
      return told(current)
    },
    current: () => (run === null ? null : told(run)),
    async cancel() {
      if (run?.state.state !== 'running') return false
      run.stopping.abort()
      await run.ended
      return true
    },
  }
}

function emptyState(now: number): State {
  return {
    id: generateId('audit', now),
    state: 'running',
    failure: null,
    phase: null,
    done: 0,
    total: null,
    rate: null,
    findings: [],
    findingsTotal: 0,
    summary: null,
    startedAt: now,
    endedAt: null,
  }
}

function note(run: Run, step: AuditStep): void {
  const { state } = run
  if (step.kind === 'summary') state.summary = step
  else if (step.kind === 'finding') {
    state.findingsTotal += 1
    if (state.findings.length < FINDINGS_KEPT) state.findings.push(step)
  } else {
    if (step.phase !== state.phase) run.phaseBegun = performance.now()
    const seconds = (performance.now() - run.phaseBegun) / 1000
    state.rate = seconds > 0 ? Math.round(step.done / seconds) : null
    state.phase = step.phase
    state.done = step.done
    state.total = step.total
  }
}

/** As it is now: it goes on. */
function told({ state }: Run): AuditRun {
  return { ...state, findings: [...state.findings] }
}
