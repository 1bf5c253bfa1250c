import 'uplot/dist/uPlot.min.css'
import uPlot from 'uplot'
import type { ChartLine } from './chart.tsx'

export interface Drawing {
  readonly height: number
  readonly instants: readonly number[]
  readonly lines: readonly ChartLine[]
  readonly words: {
    readonly locale: string
    readonly time: string
    number(value: number): string
    instant(at: number): string
  }
  readonly onZoom: (from: number, to: number) => void
}

/** A zoom into less would show nothing that was not there before: the server counts in whole two seconds. */
const NARROWEST = 2000

/** Draws, and draws anew for another width or another appearance. Returns what takes it away. */
export function drawChart(element: HTMLElement, drawing: Drawing): () => void {
  let plot: uPlot | null = null
  const { instants, lines, height } = drawing
  const data = [instants.map((at) => at / 1000), ...lines.map(({ values }) => [...values])] as uPlot.AlignedData

  function draw(): void {
    plot?.destroy()
    plot = new uPlot(optionsOf(element, drawing), data, element)
  }

  draw()
  const observer = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height }))
  observer.observe(element)
  const media = window.matchMedia('(prefers-color-scheme: dark)')
  media.addEventListener('change', draw)
  window.addEventListener('gatebook:theme', draw)
  return () => {
    observer.disconnect()
    media.removeEventListener('change', draw)
    window.removeEventListener('gatebook:theme', draw)
    plot?.destroy()
  }
}

function optionsOf(element: HTMLElement, { height, instants, lines, words, onZoom }: Drawing): uPlot.Options {
  const style = getComputedStyle(element)
  const color = (name: string): string => style.getPropertyValue(name).trim()
  const axis: uPlot.Axis = {
    stroke: color('--text-quiet'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1 },
    font: `11px ${style.fontFamily}`,
  }
  const tell = tickFormat(words.locale, instants)
  return {
    width: element.clientWidth,
    height,
    // What has been read ends where it ends: zooming in asks for more.
    cursor: {
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      // Where the pointer is shows in both charts; what it draws over is the matter of one.
      sync: { key: 'overview', filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
    },
    legend: { live: true },
    scales: { x: { time: true }, y: { range: (_plot, _least, most) => [0, Math.max(4, most * 1.1)] } },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map(tell) },
      {
        ...axis,
        size: 52,
        values: (_plot, splits) => splits.map((value) => (Number.isInteger(value) ? words.number(value) : '')),
      },
    ],
    series: [
      { label: words.time, value: (_plot, at) => (typeof at === 'number' ? words.instant(at * 1000) : '–') },
      ...lines.map(({ label, color: property, dash = [], filled = false }) => ({
        label,
        stroke: color(property),
        ...(filled && { fill: `${color(property)}22` }),
        width: 1.75,
        dash: [...dash],
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => (typeof value === 'number' ? words.number(value) : '–'),
      })),
    ],
    hooks: {
      setSelect: [
        (drawn) => {
          const { left, width } = drawn.select
          if (width < 5) return
          const [from, to] = [drawn.posToVal(left, 'x') * 1000, drawn.posToVal(left + width, 'x') * 1000]
          drawn.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          if (to - from >= NARROWEST) onZoom(from, to)
        },
      ],
    },
  }
}

function tickFormat(locale: string, instants: readonly number[]): (at: number) => string {
  const days = ((instants.at(-1) ?? 0) - (instants[0] ?? 0)) / 86_400_000
  const format = new Intl.DateTimeFormat(locale, {
    ...(days > 2 ? { month: 'numeric', day: 'numeric' } : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
    ...(days < 0.01 && { second: '2-digit' }),
  })
  return (at) => format.format(at * 1000)
}
