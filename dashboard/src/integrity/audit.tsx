import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, toApiError } from '../api/api-error.ts'
import type { EventItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Outcome } from '../parts/outcome.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { useAction } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'
import type { AuditRun } from './wire.ts'

const LOOK_AGAIN = 700

interface AuditProps {
  /** The newest `log.audited`. */
  readonly last: EventItem | null
  readonly onEnded: () => void
}

/** Starts an audit on the server and shows how far it is; it goes on when the page is left. */
export function Audit({ last, onEnded }: AuditProps): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const [audit, setAudit] = useState<AuditRun | null>(null)
  const [lost, setLost] = useState<ApiError | null>(null)
  const { busy, error, run } = useAction()
  const wasRunning = useRef(false)
  const running = audit?.state === 'running'

  async function look(): Promise<void> {
    try {
      setAudit(await api.get<AuditRun>('/audits/current'))
      setLost(null)
    } catch (thrown) {
      const failure = toApiError(thrown)
      if (failure.code !== 'ERR_AUDIT_NOT_FOUND') setLost(failure)
    }
  }
  async function ask(method: 'POST' | 'DELETE', path: string): Promise<void> {
    await api.send(method, path)
    // A short one is over before it is looked at.
    if (method === 'POST') wasRunning.current = true
    await look()
  }
  useEffect(() => {
    void look()
  }, [])
  useEffect(() => {
    if (wasRunning.current && !running) onEnded()
    wasRunning.current = running
    if (!running) return
    const timer = setTimeout(() => void look(), LOOK_AGAIN)
    return () => clearTimeout(timer)
  }, [audit, running, lost])

  const problem = error ?? lost
  return (
    <Panel
      title={text.integrity.audit}
      about={text.integrity.auditAbout}
      actions={
        running ? (
          <button type="button" class="button" onClick={() => void run(() => ask('DELETE', '/audits/current'))}>
            {text.integrity.auditStop}
          </button>
        ) : (
          <button
            type="button"
            class="button primary"
            disabled={busy}
            onClick={() => void run(() => ask('POST', '/audits'))}
          >
            {text.integrity.auditStart}
          </button>
        )
      }
    >
      <LastAudit last={last} />
      {problem !== null && <Problem error={problem} />}
      {audit !== null && <Run audit={audit} />}
    </Panel>
  )
}

export function LastAudit({ last }: { readonly last: EventItem | null }): JSX.Element {
  const { text, format } = useLanguage()
  const findings = Number(last?.data.findings ?? 0)
  return (
    <p>
      {text.integrity.lastAudit}:{' '}
      {last === null ? (
        <span class="quiet">{text.integrity.never}</span>
      ) : (
        <>
          <Time at={last.at} relative /> <Outcome outcome={last.outcome} />{' '}
          {findings > 0 && text.integrity.findings(findings, format.number(findings))}
        </>
      )}
    </p>
  )
}

function Run({ audit }: { readonly audit: AuditRun }): JSX.Element {
  const { text, format } = useLanguage()
  const running = audit.state === 'running'
  const state = audit.failure === 'ERR_AUDIT_CANCELLED' ? 'cancelled' : audit.state
  const isBad = state === 'failed' || audit.findings.some(({ severity }) => severity === 'finding')
  const phases = text.integrity.phases as Readonly<Record<string, string>>
  const errors = text.errors as Readonly<Record<string, string>>
  return (
    <div class="audit" data-audit={state}>
      <p role="status">
        <span class={`badge ${running ? '' : isBad ? 'outcome-failure' : state === 'done' ? 'outcome-success' : ''}`}>
          {text.integrity.auditStates[state]}
        </span>{' '}
        {running && audit.phase !== null && <span class="quiet">{phases[audit.phase] ?? audit.phase}</span>}
        {audit.ended_at !== null && (
          <span class="quiet">{text.integrity.took(format.duration(audit.ended_at - audit.started_at))}</span>
        )}
      </p>
      {state === 'failed' && audit.failure !== null && <p>{errors[audit.failure] ?? <code>{audit.failure}</code>}</p>}
      {running && (
        <>
          <progress
            aria-label={text.integrity.audit}
            {...(audit.total !== null && { max: Math.max(1, audit.total), value: audit.done })}
          />
          <p class="quiet number small">
            {text.integrity.progress(
              format.number(audit.done),
              audit.total === null ? '…' : format.number(audit.total),
            )}
            {audit.rate !== null && ` · ${text.integrity.rate(format.number(audit.rate))}`}
          </p>
        </>
      )}
      {state === 'done' && audit.findings_total === 0 && <p>{text.integrity.noFindings}</p>}
      {audit.findings_total > 0 && (
        <>
          <p>{text.integrity.findings(audit.findings_total, format.number(audit.findings_total))}</p>
          <ul class="findings">
            {audit.findings.map((finding, at) => (
              <li key={`${at} ${finding.code}`}>
                <span class={`badge ${finding.severity === 'finding' ? 'outcome-failure' : ''}`}>{finding.code}</span>
                <Foreign text={finding.detail} most={400} />
                {finding.event_id !== null && (
                  <Link
                    parts={['events']}
                    search={{ q: `event:${finding.event_id}`, event: finding.event_id }}
                    class="mono"
                  >
                    {finding.event_id}
                  </Link>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
