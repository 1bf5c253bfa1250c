import { pino } from 'pino'
import type { Diagnostics } from '../options.ts'
import { escapeUnsafe } from './escape-unsafe.ts'
import { redactFields } from './redact-fields.ts'

export type DiagnosticsLevel = 'error' | 'warn' | 'info' | 'debug' | 'silent'

export interface DiagnosticsOptions {
  readonly level: DiagnosticsLevel
  /** For a person at a terminal; JSON lines otherwise. */
  readonly human: boolean
  /** Takes one line with its line break. Must have written it when it returns: the next thing may be the end. */
  readonly write: (line: string) => void
}

/** What the process says about itself: never the event log, never a secret. */
export function createDiagnostics({ level, human, write }: DiagnosticsOptions): Diagnostics {
  const logger = pino(
    {
      level,
      base: human ? null : { pid: process.pid },
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
    },
    { write: human ? (line: string) => write(formatForPeople(line)) : write },
  )
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  }
}

/** `23:31:05 warn  the database does not answer  code=ECONNREFUSED`, and the stack of an error below it. */
function formatForPeople(line: string): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>
  const clock = new Date(String(time)).toTimeString().slice(0, 8)
  const frames: string[] = []
  const pairs = Object.entries(fields).map(([name, value]) => `${name}=${formatField(value, frames)}`)
  const text = escapeUnsafe([message, ...pairs].join('  '))
  return `${clock} ${String(level).padEnd(5)} ${text}\n${frames.map((frame) => `      ${escapeUnsafe(frame)}\n`).join('')}`
}

function formatField(value: unknown, frames: string[]): string {
  if (typeof value === 'string') return value
  const { stack, ...rest } = (value ?? {}) as { stack?: unknown }
  if (!Array.isArray(stack)) return JSON.stringify(value)
  frames.push(...stack.map(String))
  return JSON.stringify(rest)
}
