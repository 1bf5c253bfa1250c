import type { JSX } from 'preact'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Panel } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import type { AnchorItem } from './wire.ts'

const BADGES: Readonly<Record<string, string>> = {
  current: 'outcome-success',
  behind: 'outcome-denied',
  failing: 'outcome-failure',
  forked: 'outcome-failure',
}

/** Where checkpoints are kept outside of the database, and how far each place has come. */
export function Anchors({ anchors }: { readonly anchors: readonly AnchorItem[] }): JSX.Element {
  const { text, format } = useLanguage()
  const states = text.integrity.anchorStates as Readonly<Record<string, string>>
  return (
    <Panel title={text.integrity.anchors}>
      {anchors.length === 0 ? (
        <p class="quiet">{text.integrity.noAnchors}</p>
      ) : (
        <ul class="plain-list">
          {anchors.map(({ name, kind, state, size, last_success_at: at, last_error: failure }) => (
            <li key={name} class="row row-between">
              <span class="row">
                {state !== null && <span class={`badge ${BADGES[state] ?? ''}`}>{states[state] ?? state}</span>}
                <Foreign text={name} most={120} mono />
                {kind !== null && <span class="quiet small">{kind}</span>}
                {failure !== null && <Foreign text={failure} most={200} />}
              </span>
              <span class="quiet">
                <span class="number">{format.number(size)}</span>
                {at !== null && (
                  <>
                    {' · '}
                    <Time at={at} relative />
                  </>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}
