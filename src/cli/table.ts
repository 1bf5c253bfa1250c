import { escapeUnsafe } from '../server/escape-unsafe.ts'
import type { Colour, Terminal } from './terminal.ts'

export interface Column<T> {
  readonly title: string
  readonly value: (row: T) => string
  /** For rows that are printed as they come: the width to count on. */
  readonly usual: number
  /** May be cut to this width when the terminal is narrow; columns without it never are. */
  readonly least?: number
  /** When cutting is not enough, the column with the lowest number is left out first; without one it stays. */
  readonly drop?: number
  readonly colour?: (row: T) => Colour | undefined
}

const GAP = 2

/** A table that is known as a whole: each column as wide as it needs. */
export function printTable<T>(terminal: Terminal, columns: readonly Column<T>[], rows: readonly T[]): void {
  const natural = columns.map(({ title, value }) =>
    rows.reduce((width, row) => Math.max(width, displayWidth(escapeUnsafe(value(row)))), title.length),
  )
  const widths = fitWidths(columns, natural, terminal.width)
  const titles = columns
    .map(({ title }, at) => padText(title, widths[at] ?? 0))
    .filter((_, at) => (widths[at] ?? 0) > 0)
  terminal.line(terminal.paint('dim', titles.join(' '.repeat(GAP)).trimEnd()))
  for (const row of rows) terminal.line(formatRow(terminal, columns, widths, row))
}

/** The same for rows that come one by one: returns the function that prints one. */
export function printRows<T>(terminal: Terminal, columns: readonly Column<T>[]): (row: T) => void {
  const widths = fitWidths(
    columns,
    columns.map(({ usual }) => usual),
    terminal.width,
  )
  return (row) => terminal.line(formatRow(terminal, columns, widths, row))
}

/** Widths that fit together: first the widest columns are cut, then columns are left out (width 0). */
export function fitWidths<T>(
  columns: readonly Column<T>[],
  natural: readonly number[],
  available: number | null,
): readonly number[] {
  const widths = [...natural]
  if (available === null) return widths
  const total = (): number => widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + GAP), -GAP)
  const cut = (): void => {
    while (total() > available) {
      const slack = columns.map(({ least }, at) => (least === undefined ? 0 : (widths[at] ?? 0) - least))
      const most = Math.max(...slack)
      if (most <= 0) return
      const at = slack.indexOf(most)
      widths[at] = (widths[at] ?? 0) - 1
    }
  }
  const droppable = columns.flatMap(({ drop }, at) => (drop === undefined ? [] : [{ drop, at }]))
  droppable.sort((a, b) => a.drop - b.drop)
  cut()
  for (const { at } of droppable) {
    if (total() <= available) break
    for (const [column, width] of natural.entries()) if (widths[column] !== 0) widths[column] = width
    widths[at] = 0
    cut()
  }
  return widths
}

function formatRow<T>(terminal: Terminal, columns: readonly Column<T>[], widths: readonly number[], row: T): string {
  const last = widths.findLastIndex((width) => width > 0)
  const cells = columns.flatMap(({ value, colour }, at) => {
    const width = widths[at] ?? 0
    if (width === 0) return []
    const text = escapeUnsafe(value(row))
    const shown = terminal.width === null ? text : cutText(text, width)
    // Nothing is padded behind the last cell, which would wrap or leave blanks in a file.
    const cell = at === last ? shown : padText(shown, width)
    const wanted = colour?.(row)
    return [wanted === undefined ? cell : terminal.paint(wanted, cell)]
  })
  return cells.join(' '.repeat(GAP)).trimEnd()
}

const WIDE =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])/u
let segmenter: Intl.Segmenter | null = null

function splitCharacters(text: string): string[] {
  segmenter ??= new Intl.Segmenter()
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function characterWidth(character: string): number {
  return WIDE.test(character) ? 2 : 1
}

/** Columns that a text takes: two for the wide characters of East Asia and for emoji. */
export function displayWidth(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is the range of ASCII
  if (/^[\u0000-\u007f]*$/.test(text)) return text.length
  return splitCharacters(text).reduce((width, character) => width + characterWidth(character), 0)
}

export function cutText(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let kept = ''
  let left = width - 1
  for (const character of splitCharacters(text)) {
    left -= characterWidth(character)
    if (left < 0) break
    kept += character
  }
  return `${kept}…`
}

function padText(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}
