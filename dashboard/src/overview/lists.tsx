import type { JSX } from 'preact'
import { OPERATORS } from '../../../src/query/operators.ts'
import type { Overview } from '../api/wire.ts'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Panel } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import { Link } from '../router/link.tsx'

interface BarProps {
  readonly share: number
}

/** The length says the same as the number beside it. */
function Bar({ share }: BarProps): JSX.Element {
  return (
    <span class="bar-track" aria-hidden="true">
      <span class="bar-fill" style={{ width: `${Math.max(1, Math.round(share * 100))}%` }} />
    </span>
  )
}

export function Refusals({ overview, since }: { readonly overview: Overview; readonly since: string }): JSX.Element {
  const { text, words, format } = useLanguage()
  const { refusals, from, to } = overview
  const most = Math.max(1, ...refusals.map(({ count }) => count))
  const window = /^\d+[hd]$/.test(since) ? `since:${since}` : `since:${from} until:${to}`
  return (
    <Panel title={text.overview.refusals}>
      {refusals.length === 0 && <p class="quiet">{text.overview.noRefusals}</p>}
      <ul class="bars">
        {refusals.map(({ reason, count }) => (
          <li key={reason}>
            {OPERATORS.reason.accepts(reason) ? (
              <Link parts={['events']} search={{ q: `reason:${reason} ${window}` }}>
                {words.reasons[reason] ?? reason}
              </Link>
            ) : (
              <Foreign text={reason} most={60} />
            )}
            <span class="number">{format.number(count)}</span>
            <Bar share={count / most} />
          </li>
        ))}
      </ul>
    </Panel>
  )
}

export function Busiest({ overview }: { readonly overview: Overview }): JSX.Element {
  const { text, format } = useLanguage()
  const { busiest } = overview.addresses
  const most = Math.max(1, ...busiest.map(({ count }) => count))
  return (
    <Panel title={text.overview.busiest}>
      {busiest.length === 0 && <p class="quiet">{text.states.empty}</p>}
      <ul class="bars">
        {busiest.map(({ ip_prefix: prefix, count, failures }) => (
          <li key={prefix}>
            <span>
              <Link parts={['addresses', prefix]} class="mono">
                {prefix}
              </Link>
              {failures > 0 && <span class="quiet small"> {text.overview.ofFailures(format.number(failures))}</span>}
            </span>
            <span class="number">{format.number(count)}</span>
            <Bar share={count / most} />
          </li>
        ))}
      </ul>
    </Panel>
  )
}

export function Newest({ overview }: { readonly overview: Overview }): JSX.Element {
  const { text } = useLanguage()
  const { newest } = overview.addresses
  return (
    <Panel title={text.overview.newest}>
      {newest.length === 0 && <p class="quiet">{text.states.empty}</p>}
      <ul class="plain-list">
        {newest.map(({ ip_prefix: prefix, first_seen: at }) => (
          <li key={prefix} class="row row-between">
            <Link parts={['addresses', prefix]} class="mono">
              {prefix}
            </Link>
            <span class="quiet small">
              <Time at={at} relative />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
