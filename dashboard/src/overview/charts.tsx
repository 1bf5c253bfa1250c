import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { Chart } from './chart.tsx'
import { type Figures, SERIES } from './figures.ts'

const LINES = {
  logins: { color: '--series-logins', dash: [] },
  failures: { color: '--series-failures', dash: [] },
  refreshes: { color: '--series-refreshes', dash: [4, 3] },
  ended: { color: '--series-ended', dash: [1, 3] },
} as const

interface ChartsProps {
  readonly figures: Figures
  readonly onZoom: (from: number, to: number) => void
}

export function Charts({ figures, onZoom }: ChartsProps): JSX.Element {
  const { text } = useLanguage()
  const { overview, active } = figures
  const instants = useMemo(() => overview.series.map(({ at }) => at), [overview])
  const happened = useMemo(
    () =>
      SERIES.map((name) => ({
        ...LINES[name],
        label: text.overview.series[name],
        values: overview.series.map((bucket) => bucket[name]),
      })),
    [overview, text],
  )
  const alive = useMemo(
    () =>
      active === null
        ? null
        : [{ label: text.overview.active, color: '--series-active', filled: true, values: active }],
    [active, text],
  )
  return (
    <>
      <Chart label={text.overview.chart} height={220} instants={instants} lines={happened} onZoom={onZoom} />
      {alive !== null && (
        <Chart label={text.overview.activeChart} height={130} instants={instants} lines={alive} onZoom={onZoom} />
      )}
    </>
  )
}

/** What the charts show, for those who do not see them; each line zooms in as well. */
export function FiguresTable({ figures: { overview, active } }: { readonly figures: Figures }): JSX.Element {
  const { text, format } = useLanguage()
  const rows = overview.series
    .map((bucket, at) => ({ ...bucket, active: active?.[at] ?? null }))
    .filter((bucket) => SERIES.some((name) => bucket[name] > 0))
  return (
    <details>
      <summary>{text.overview.chartTable}</summary>
      <div class="scroll-x scroll-y" tabIndex={0} role="group" aria-label={text.overview.chartTable}>
        <table class="table" data-figures>
          <thead>
            <tr>
              <th scope="col">{text.overview.time}</th>
              {SERIES.map((name) => (
                <th key={name} scope="col" class="right">
                  {text.overview.series[name]}
                </th>
              ))}
              <th scope="col" class="right">
                {text.overview.active}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((bucket) => (
              <tr key={bucket.at}>
                <th scope="row" class="number">
                  <Link
                    parts={[]}
                    search={{ from: String(bucket.at), to: String(bucket.at + overview.bucket_milliseconds) }}
                    label={text.overview.zoomInto(format.instant(bucket.at))}
                  >
                    {format.instant(bucket.at)}
                  </Link>
                </th>
                {SERIES.map((name) => (
                  <td key={name} class="right number" data-series={name}>
                    {format.number(bucket[name])}
                  </td>
                ))}
                <td class="right number" data-series="active">
                  {bucket.active === null ? '–' : format.number(bucket.active)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
