import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type ApiError, toApiError } from '../api/api-error.ts'
import type { EventItem, ReceiptAnswer } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { readLogKeys } from '../integrity/log-keys.ts'
import { readIntegrity } from '../integrity/use-integrity.ts'
import { Copy } from '../parts/copy.tsx'
import { download } from '../parts/download.ts'
import { Fields } from '../parts/fields.tsx'
import { showUnseen } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { Problem } from '../parts/problem.tsx'
import type { Verification } from './verify-event.ts'

interface Checked {
  readonly receipt: ReceiptAnswer
  readonly verification: Verification
  readonly verdict: 'good' | 'bad' | 'unknown'
  /** Whether the key of the signature was entered here. */
  readonly trusted: boolean
}

/** The inclusion proof of an event, verified here and not by the server. */
export function EventProof({ event }: { readonly event: EventItem }): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const [checked, setChecked] = useState<Checked | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    setChecked(null)
    setError(null)
  }, [event.id])

  async function verify(): Promise<void> {
    setBusy(true)
    setError(null)
    setChecked(null)
    try {
      const path = `/events/${encodeURIComponent(event.id)}`
      const [fresh, receipt, { verifyEvent, verdictOf }] = await Promise.all([
        api.get<EventItem>(path),
        api.get<ReceiptAnswer>(`${path}/proof`),
        import('./verify-event.ts'),
      ])
      if (readLogKeys().texts.length === 0) await readIntegrity(api)
      const keys = readLogKeys()
      const verification = verifyEvent(fresh, receipt, keys.texts)
      setChecked({ receipt, verification, verdict: verdictOf(verification), trusted: keys.trusted })
    } catch (thrown) {
      setError(toApiError(thrown))
    } finally {
      setBusy(false)
    }
  }

  return (
    <section class="proof" aria-label={text.proof.title}>
      <header class="row row-between">
        <h3>{text.proof.title}</h3>
        <button type="button" class="button" disabled={busy} onClick={() => void verify()}>
          <Icon name="integrity" />
          {checked === null ? text.proof.verify : text.proof.again}
        </button>
      </header>
      <div role="status">
        {busy && <p class="quiet">{text.proof.running}</p>}
        {error !== null &&
          (error.code === 'ERR_LOG_TAMPERED' ? (
            <p class="verdict verdict-bad">
              <Icon name="cross" />
              {text.proof.serverRefused}
            </p>
          ) : (
            <Problem error={error} />
          ))}
        {checked !== null && <Result checked={checked} />}
      </div>
      {checked === null && error === null && !busy && <p class="quiet small">{text.proof.about}</p>}
    </section>
  )
}

const STEP_ICONS = { done: 'check', failed: 'cross', skipped: 'dash' } as const

function Result({ checked }: { readonly checked: Checked }): JSX.Element {
  const { text, format } = useLanguage()
  const { verification, verdict, receipt, trusted } = checked
  const { steps, forgotten, wrongColumns, wrongClasses, index, size, leafHash, rootHash, signedBy } = verification
  const verdicts = { good: text.proof.good, bad: text.proof.bad, unknown: text.proof.unknown }
  const said = { done: text.proof.stepDone, failed: text.proof.stepFailed, skipped: text.proof.stepSkipped }
  const classes = (names: readonly ('id' | 'net')[]): string =>
    format.list(names.map((name) => text.proof.classes[name]))
  return (
    <>
      <p class={`verdict verdict-${verdict}`} data-verdict={verdict}>
        <Icon name={verdict === 'good' ? 'check' : verdict === 'bad' ? 'cross' : 'dash'} />
        {verdicts[verdict]}
      </p>
      <ul class="steps">
        {Object.entries(steps).map(([name, result]) => (
          <li key={name} class={`step step-${result}`} data-step={name} data-result={result}>
            <Icon name={STEP_ICONS[result]} />
            <span>{text.proof.steps[name as keyof typeof steps]}</span>
            <span class="quiet">{said[result]}</span>
          </li>
        ))}
      </ul>
      {wrongColumns.length > 0 && <p class="wrong">{text.proof.wrongColumns(wrongColumns.join(', '))}</p>}
      {wrongClasses.length > 0 && <p class="wrong">{text.proof.wrongClasses(classes(wrongClasses))}</p>}
      {forgotten.length > 0 && <p class="quiet">{text.proof.forgotten(classes(forgotten))}</p>}
      {steps.signature !== 'skipped' && (
        <p class="quiet small">{trusted ? text.integrity.byTrustedKey : text.proof.toldKey}</p>
      )}
      {steps.signature === 'skipped' && <p class="quiet">{text.proof.noKey}</p>}
      <Fields
        items={[
          { name: text.proof.index, value: <span class="number">{format.number(index)}</span> },
          { name: text.proof.size, value: <span class="number">{format.number(size)}</span> },
          { name: text.proof.leafHash, value: <Hash value={leafHash} what={text.proof.leafHash} /> },
          { name: text.proof.root, value: <Hash value={rootHash} what={text.proof.root} /> },
          { name: text.proof.signedBy, value: <span class="mono">{showUnseen(signedBy.join(', '))}</span> },
        ]}
      />
      <details>
        <summary>{text.proof.entry}</summary>
        <pre class="bytes">{showUnseen(receipt.leaf)}</pre>
      </details>
      <div class="row">
        <button
          type="button"
          class="button"
          onClick={() => download(`${receipt.event_id}.json`, 'application/json', [JSON.stringify(receipt, null, 2)])}
        >
          <Icon name="download" />
          {text.proof.receipt}
        </button>
        <button
          type="button"
          class="button"
          onClick={() => download(`${receipt.event_id}.tlog-proof`, 'text/plain', [receipt.proof])}
        >
          <Icon name="download" />
          {text.proof.tlog}
        </button>
      </div>
    </>
  )
}

function Hash({ value, what }: { readonly value: string; readonly what: string }): JSX.Element {
  return (
    <span class="with-copy">
      <code class="hash">{value}</code>
      <Copy value={value} what={what} />
    </span>
  )
}
