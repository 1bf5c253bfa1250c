import type { Messages } from './en.ts'

/** Numbers and times as the language writes them; times in the zone of the browser. */
export interface Format {
  number(value: number): string
  bytes(value: number): string
  /** Date and time to the second. */
  instant(at: number): string
  /** To the millisecond, with the zone. */
  exact(at: number): string
  /** The time of the day alone. */
  clock(at: number): string
  day(at: number): string
  /** `3 minutes ago`, `in 2 days`. */
  relative(at: number, now: number): string
  duration(milliseconds: number): string
  list(items: readonly string[]): string
}

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_536_000_000],
  ['month', 2_592_000_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

export function createFormat(locale: string, text: Messages): Format {
  const number = new Intl.NumberFormat(locale)
  const instant = new Intl.DateTimeFormat(locale, {
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' },
    hourCycle: 'h23',
  })
  const exact = new Intl.DateTimeFormat(locale, {
    ...{ year: 'numeric', month: 'long', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' },
    ...{ fractionalSecondDigits: 3, timeZoneName: 'short', hourCycle: 'h23' },
  } as Intl.DateTimeFormatOptions)
  const clock = new Intl.DateTimeFormat(locale, {
    ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  })
  const day = new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'short', day: 'numeric' })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  const list = new Intl.ListFormat(locale, { type: 'conjunction' })
  const unit = (value: number, name: string): string =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'long', maximumFractionDigits: 1 }).format(
      value,
    )

  return {
    number: (value) => number.format(value),
    bytes: (value) =>
      value < 1000 ? unit(value, 'byte') : value < 1e6 ? unit(value / 1e3, 'kilobyte') : unit(value / 1e6, 'megabyte'),
    instant: (at) => instant.format(at),
    exact: (at) => exact.format(at),
    clock: (at) => clock.format(at),
    day: (at) => day.format(at),
    relative(at, now) {
      const away = at - now
      const [name, size] = STEPS.find(([, milliseconds]) => Math.abs(away) >= milliseconds) ?? [null, 1]
      return name === null ? text.time.justNow : relative.format(Math.trunc(away / size), name)
    },
    duration(milliseconds) {
      if (milliseconds < 1000) return unit(Math.max(0, Math.round(milliseconds)), 'millisecond')
      const [name, size] = STEPS.find(([, step]) => milliseconds >= step) ?? (['second', 1000] as const)
      return unit(Number((milliseconds / size).toFixed(milliseconds / size < 10 ? 1 : 0)), name)
    },
    list: (items) => list.format(items),
  }
}
