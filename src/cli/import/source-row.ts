import type { ErrorCode } from '../../errors.ts'

/** One row of a file: its members, or what is wrong with it. */
export interface SourceRow {
  /** From 1; of a CSV record that spans several lines, the last. */
  readonly line: number
  readonly members?: Readonly<Record<string, unknown>>
  readonly problem?: { readonly code: ErrorCode; readonly detail: string }
}

/** Longer rows are refused without being kept in memory. */
export const ROW_BYTES = 65_536

export function malformed(line: number, detail: string): SourceRow {
  return { line, problem: { code: 'ERR_ROW_MALFORMED', detail } }
}
