import type { JSX } from 'preact'
import { decodeBase64 } from '../../../src/util/base64.ts'
import { encodeHex } from '../../../src/util/hex.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Copy } from '../parts/copy.tsx'
import { download } from '../parts/download.ts'
import { Fields } from '../parts/fields.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import type { Place } from '../router/location.ts'
import { Anchors } from './anchors.tsx'
import { Audit } from './audit.tsx'
import { Signature } from './signature.tsx'
import { Stopped } from './stopped.tsx'
import { TakeAlong } from './take-along.tsx'
import { TrustedKey } from './trusted-key.tsx'
import { useIntegrity } from './use-integrity.ts'
import type { IntegrityReport } from './wire.ts'

export function IntegrityPage(_: { readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const report = useIntegrity(api)
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{text.app.integrity}</h1>
        <button type="button" class="button" onClick={report.reload} disabled={report.loading}>
          <Icon name="reload" />
          <span>{text.actions.reload}</span>
        </button>
      </div>
      <Showing loaded={report}>
        {(found) => (
          <>
            <Tree report={found} />
            <Audit last={found.last_audit} onEnded={report.reload} />
            <Anchors anchors={found.anchors} />
            <Checkpoints published={found.published} />
            <TrustedKey />
            <TakeAlong size={found.published[0]?.size ?? null} />
          </>
        )}
      </Showing>
    </div>
  )
}

function Tree({ report }: { readonly report: IntegrityReport }): JSX.Element {
  const { text, format } = useLanguage()
  const { signed, checkpoint, size, pruned, verifier_keys: keys, status } = report
  return (
    <Panel
      title={text.integrity.tree}
      actions={
        checkpoint !== null && (
          <button
            type="button"
            class="button"
            onClick={() => download(`checkpoint-${signed?.size ?? 0}.txt`, 'text/plain', [checkpoint.note])}
          >
            <Icon name="download" />
            {text.integrity.download}
          </button>
        )
      }
    >
      <Stopped report={report} />
      {checkpoint === null ? <p class="quiet">{text.integrity.noCheckpoint}</p> : <Signature note={checkpoint.note} />}
      <Fields
        items={[
          size === null
            ? null
            : { name: text.integrity.size, value: <span class="number large">{format.number(size)}</span> },
          pruned === null || pruned === 0
            ? null
            : { name: text.integrity.pruned, value: <span class="number">{format.number(pruned)}</span> },
          status.waiting === 0
            ? null
            : { name: text.integrity.waiting, value: <span class="number">{format.number(status.waiting)}</span> },
          signed === null ? null : { name: text.integrity.signedAt, value: <Time at={signed.signed_at} /> },
          signed === null
            ? null
            : {
                name: text.integrity.root,
                value: (
                  <span class="with-copy">
                    <code class="hash">{toHex(signed.root_hash)}</code>
                    <Copy value={toHex(signed.root_hash)} what={text.integrity.root} />
                  </span>
                ),
              },
          signed === null ? null : { name: text.integrity.origin, value: <Foreign text={signed.origin} mono /> },
          ...keys.map((key) => ({
            name: text.integrity.key,
            value: (
              <span class="with-copy">
                <Foreign text={key} most={200} mono />
                <Copy value={key} what={text.integrity.key} />
              </span>
            ),
          })),
        ]}
      />
      {checkpoint !== null && (
        <details>
          <summary>{text.integrity.checkpoint}</summary>
          <pre class="bytes">{checkpoint.note}</pre>
        </details>
      )}
    </Panel>
  )
}

function Checkpoints({ published }: Pick<IntegrityReport, 'published'>): JSX.Element {
  const { text, format } = useLanguage()
  return (
    <Panel title={text.integrity.checkpoints}>
      {published.length === 0 ? (
        <p class="quiet">{text.integrity.nonePublished}</p>
      ) : (
        <div class="scroll-x scroll-y" tabIndex={0} role="group" aria-label={text.integrity.checkpoints}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{text.integrity.signedAt}</th>
                <th scope="col" class="right">
                  {text.integrity.size}
                </th>
                <th scope="col">{text.integrity.witnesses}</th>
              </tr>
            </thead>
            <tbody>
              {published.map(({ epoch, size, signed_at: at, witnesses }) => (
                <tr key={`${epoch} ${size}`}>
                  <td>
                    <Time at={at} />
                  </td>
                  <td class="right number">{format.number(size)}</td>
                  <td class="cell-wide">
                    {witnesses.length === 0 ? (
                      <span class="quiet">{text.states.none}</span>
                    ) : (
                      <Foreign text={witnesses.join(', ')} />
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}

/** As the proof of an event shows it. */
function toHex(base64: string): string {
  const bytes = decodeBase64(base64)
  return bytes === null ? base64 : encodeHex(bytes)
}
