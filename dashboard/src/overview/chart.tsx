import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'

export interface ChartLine {
  readonly label: string
  /** Custom property that has the colour. */
  readonly color: string
  readonly dash?: readonly number[]
  /** Whether what is under the line is filled. */
  readonly filled?: boolean
  /** As many as there are instants. */
  readonly values: readonly number[]
}

interface ChartProps {
  /** What it shows, in a sentence. */
  readonly label: string
  readonly height: number
  /** Epoch milliseconds. */
  readonly instants: readonly number[]
  readonly lines: readonly ChartLine[]
  readonly onZoom: (from: number, to: number) => void
}

/** Lines over time; a stretch that is drawn over with the pointer is zoomed into. A table beside it says the same. */
export function Chart({ label, height, instants, lines, onZoom }: ChartProps): JSX.Element {
  const { text, format, name } = useLanguage()
  const place = useRef<HTMLDivElement>(null)
  const zoom = useRef(onZoom)
  zoom.current = onZoom
  useEffect(() => {
    const element = place.current!
    let gone = false
    let take: () => void = () => undefined
    void import('./draw-chart.ts').then(({ drawChart }) => {
      if (gone) return
      const words = { locale: name, time: text.overview.time, number: format.number, instant: format.instant }
      take = drawChart(element, { height, instants, lines, words, onZoom: (from, to) => zoom.current(from, to) })
    })
    return () => {
      gone = true
      take()
    }
  }, [instants, lines, height, text, format, name])
  return <div ref={place} class="chart" role="img" aria-label={label} />
}
