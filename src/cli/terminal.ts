import { escapeUnsafe, formatSafeJson } from '../server/escape-unsafe.ts'

export type Colour = 'dim' | 'bold' | 'red' | 'yellow' | 'green'

const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  dim: [2, 22],
  bold: [1, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
}

/** Where a command writes. Results go to the standard output, everything else to the standard error. */
export interface Terminal {
  /** Columns of the output, or null when it goes to a file or another program and nothing is to be cut. */
  readonly width: number | null
  /** Prints a line for people. Text that was stored or typed by somebody has passed `escapeUnsafe` before. */
  line(text: string): void
  /** Prints one value as JSON on one line. */
  json(value: unknown): void
  /** Prints lines that end as RFC 4180 has it; nothing when there is none. */
  csv(text: string): void
  /** A remark beside the result. */
  note(text: string): void
  /** How to get the next page, beside the result; nothing when this was the last one. */
  next(cursor: string | null, json: boolean): void
  /** The text in a colour, where colours are wanted. */
  paint(colour: Colour, text: string): string
}

export function createTerminal(
  stdout: NodeJS.WriteStream,
  stderr: NodeJS.WriteStream,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  // https://no-color.org: any value that is not empty.
  const colours = stdout.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb'
  // A reader that has seen enough (`| head`) is no failure.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    width: stdout.isTTY === true ? stdout.columns || 80 : null,
    line: (text) => void stdout.write(`${text}\n`),
    json: (value) => void stdout.write(`${formatSafeJson(value)}\n`),
    csv: (text) => void (text === '' || stdout.write(`${text}\r\n`)),
    note: (text) => void stderr.write(`${escapeUnsafe(text)}\n`),
    next: (cursor, json) => {
      if (cursor === null) return
      stderr.write(json ? `${formatSafeJson({ next: cursor })}\n` : `There is more: repeat with --cursor ${cursor}\n`)
    },
    paint: (colour, text) =>
      colours && text !== '' ? `\u001b[${CODES[colour][0]}m${text}\u001b[${CODES[colour][1]}m` : text,
  }
}

/** `2025-11-24 23:31:05 +01:00`: local time, with the offset that makes it one instant. */
export function formatTime(at: number): string {
  const minutes = -new Date(at).getTimezoneOffset()
  const local = new Date(at + minutes * 60_000).toISOString()
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  const offset = `${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${offset}`
}

/** Names and values below each other; those without a value are left out. */
export function printFields(terminal: Terminal, fields: readonly (readonly [string, string | null])[]): void {
  const known = fields.filter((field): field is readonly [string, string] => field[1] !== null)
  const width = Math.max(...known.map(([name]) => name.length))
  for (const [name, value] of known) {
    terminal.line(`${terminal.paint('dim', escapeUnsafe(name).padEnd(width))}  ${escapeUnsafe(value)}`)
  }
}
