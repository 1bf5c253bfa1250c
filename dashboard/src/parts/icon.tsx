import type { JSX } from 'preact'

/** Paths in a square of 16. */
const PATHS = {
  overview: 'M2 13V9m4 4V3m4 10V7m4 6V5',
  events: 'M2 4h12M2 8h12M2 12h8',
  users:
    'M8 8a2.700 2.700 0 1 0 0-5.400A2.700 2.700 0 0 0 8 8Zm-5 5.500c.5-2.500 2.500-3.700 5-3.700s4.500 1.200 5 3.700',
  addresses:
    'M8 14s4.700-4.200 4.700-7.500a4.700 4.700 0 0 0-9.400 0C3.300 9.800 8 14 8 14Zm0-5.800a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400Z',
  integrity:
    'M8 1.800 3 3.700v4c0 3.200 2.200 5.600 5 6.500 2.800-.9 5-3.300 5-6.500v-4L8 1.800Zm-2.300 6 1.700 1.700 3-3.200',
  settings:
    'M3 4.500h6m4 0h0M3 11.500h0m4 0h6M11 6.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400Zm-6 7a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400Z',
  close: 'm4 4 8 8m0-8-8 8',
  search: 'M7 11.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9Zm3.300-1.200 3.200 3.200',
  copy: 'M5.500 5.500v-3h8v8h-3m-8-5h8v8h-8z',
  check: 'm3 8.500 3.300 3.300L13 5',
  cross: 'm4.500 4.500 7 7m0-7-7 7',
  dash: 'M4 8h8',
  up: 'm4 10 4-4 4 4',
  down: 'm4 6 4 4 4-4',
  play: 'M5 3.500v9l7-4.500z',
  pause: 'M5.500 3.500v9m5-9v9',
  download: 'M8 2.500v7m-3-2.800 3 3 3-3M3 13.500h10',
  reload: 'M13 8a5 5 0 1 1-1.500-3.600M13 2.500v3h-3',
  out: 'M6.500 2.500h-4v11h4M10 5l3 3-3 3m3-3H6',
  plus: 'M8 3v10M3 8h10',
  arrow: 'm6 3.500 4.500 4.500L6 12.500',
} as const

export type IconName = keyof typeof PATHS

/** Beside a text that says the same, so it is hidden from those who do not see it. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}
