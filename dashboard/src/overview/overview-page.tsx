import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import type { Overview } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { LastAudit } from '../integrity/audit.tsx'
import { Signature } from '../integrity/signature.tsx'
import { Stopped } from '../integrity/stopped.tsx'
import { useIntegrity } from '../integrity/use-integrity.ts'
import { Fields } from '../parts/fields.tsx'
import { Icon } from '../parts/icon.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'
import { goWith, type Place } from '../router/location.ts'
import { Charts, FiguresTable } from './charts.tsx'
import { readFigures, SERIES } from './figures.ts'
import { Busiest, Newest, Refusals } from './lists.tsx'

const RANGES = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000, '30d': 2_592_000_000 } as const
type RangeName = keyof typeof RANGES
const REFRESH = 60_000

export function OverviewPage({ place }: { readonly place: Place }): JSX.Element {
  const { text, format } = useLanguage()
  const { api } = useDesk()
  const range = (Object.keys(RANGES) as RangeName[]).find((name) => name === place.search.get('range')) ?? '24h'
  const zoom = readZoom(place)
  const key = zoom === null ? range : `${zoom.from} ${zoom.to}`
  const loaded = useLoad(key, (signal) => {
    const now = Date.now()
    const { from, to } = zoom ?? { from: now - RANGES[range], to: now }
    return readFigures(api, from, to, signal)
  })
  const overview = loaded.data?.overview ?? null
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && zoom === null && loaded.reload(), REFRESH)
    return () => clearInterval(timer)
  }, [key])
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{text.app.overview}</h1>
        <div class="row">
          {overview !== null && <span class="small quiet">{text.states.asOf(format.clock(overview.as_of))}</span>}
          <fieldset class="segments">
            <legend class="unseen">{text.overview.range}</legend>
            {(Object.keys(RANGES) as RangeName[]).map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={zoom === null && name === range}
                onClick={() => goWith({ range: name, from: undefined, to: undefined })}
              >
                {text.overview.ranges[name]}
              </button>
            ))}
          </fieldset>
          <button
            type="button"
            class="button icon-button"
            aria-label={text.actions.reload}
            onClick={loaded.reload}
            disabled={loaded.loading}
          >
            <Icon name="reload" />
          </button>
        </div>
      </div>
      <Sums overview={overview} />
      <Panel
        title={text.overview.chart}
        class="chart-panel"
        actions={
          zoom !== null && (
            <>
              <span class="small quiet">
                {text.overview.zoomed(format.instant(zoom.from), format.instant(zoom.to))}
              </span>
              <Link parts={['events']} search={{ q: `since:${zoom.from} until:${zoom.to}` }} class="button">
                {text.overview.toEvents}
              </Link>
              <button type="button" class="button" onClick={() => goWith({ from: undefined, to: undefined })}>
                {text.overview.resetZoom}
              </button>
            </>
          )
        }
      >
        {loaded.error !== null && <Problem error={loaded.error} onRetry={loaded.reload} />}
        {overview?.complete === false && <p class="notice">{text.states.partial}</p>}
        {loaded.data === null ? (
          <div class="chart-place" />
        ) : (
          <Charts
            figures={loaded.data}
            onZoom={(from, to) => goWith({ from: String(Math.round(from)), to: String(Math.round(to)) })}
          />
        )}
        <p class="quiet small">{text.overview.chartHint}</p>
        {loaded.data !== null && <FiguresTable figures={loaded.data} />}
      </Panel>
      {overview !== null && (
        <div class="columns">
          <Refusals overview={overview} since={key} />
          <Busiest overview={overview} />
          <Newest overview={overview} />
        </div>
      )}
      <div class="columns">
        <Seal />
        <Health />
      </div>
    </div>
  )
}

function readZoom({ search }: Place): { readonly from: number; readonly to: number } | null {
  const [from, to] = [Number(search.get('from')), Number(search.get('to'))]
  return search.has('from') && Number.isSafeInteger(from) && Number.isSafeInteger(to) && from < to ? { from, to } : null
}

function Sums({ overview }: { readonly overview: Overview | null }): JSX.Element | null {
  const { text, format } = useLanguage()
  const sums = useMemo(
    () => SERIES.map((name) => [name, overview?.series.reduce((sum, bucket) => sum + bucket[name], 0) ?? 0] as const),
    [overview],
  )
  if (overview === null) return null
  return (
    <ul class="figures">
      <li class="figure figure-active">
        <span class="number large">{format.number(overview.active_sessions)}</span>
        <span class="quiet">{text.overview.active}</span>
      </li>
      {sums.map(([name, sum]) => (
        <li key={name} class={`figure figure-${name}`} data-figure={name}>
          <span class="number large">{format.number(sum)}</span>
          <span class="quiet">{text.overview.series[name]}</span>
        </li>
      ))}
    </ul>
  )
}

function Seal(): JSX.Element {
  const { text, format } = useLanguage()
  const { api } = useDesk()
  const report = useIntegrity(api)
  return (
    <Panel
      title={text.overview.seal}
      actions={
        <Link parts={['integrity']} class="button">
          {text.app.integrity}
        </Link>
      }
    >
      <Showing loaded={report}>
        {(found) => (
          <>
            <Stopped report={found} />
            {found.checkpoint === null ? (
              <p class="quiet">{text.integrity.noCheckpoint}</p>
            ) : (
              <Signature note={found.checkpoint.note} />
            )}
            <Fields
              items={[
                found.size === null
                  ? null
                  : { name: text.integrity.size, value: <span class="number">{format.number(found.size)}</span> },
                found.signed === null
                  ? null
                  : { name: text.integrity.signedAt, value: <Time at={found.signed.signed_at} relative /> },
              ]}
            />
            <LastAudit last={found.last_audit} />
          </>
        )}
      </Showing>
    </Panel>
  )
}

function Health(): JSX.Element | null {
  const { text } = useLanguage()
  const { api, surroundings } = useDesk()
  const { operations } = surroundings
  const ready = useLoad(operations === null ? null : 'ready', async (signal) => {
    await api.open(`${operations}/readyz`, { signal })
    return true
  })
  if (operations === null) return null
  const state = ready.error !== null ? 'bad' : ready.data === null ? 'unknown' : 'good'
  return (
    <Panel title={text.overview.health}>
      <p class={`verdict verdict-${state}`} data-health={state}>
        <Icon name={state === 'good' ? 'check' : state === 'bad' ? 'cross' : 'dash'} />
        {state === 'good' ? text.overview.healthy : state === 'bad' ? text.overview.unhealthy : text.states.loading}
      </p>
      {ready.error !== null && <Problem error={ready.error} onRetry={ready.reload} />}
    </Panel>
  )
}
