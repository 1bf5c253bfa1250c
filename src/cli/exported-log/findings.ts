import { ProofError } from '../../proof/proof-error.ts'

/** One thing that is wrong: in which file, or with which entry. */
export interface Finding {
  readonly where: string
  readonly says: string
  /** Of the ProofError that it was, where it was one. */
  readonly code: string | null
}

export interface Findings {
  add(where: string, says: string): void
  /** The result; null, and a finding, when it throws a ProofError. */
  unless<T>(where: string, work: () => T): T | null
  unlessAsync<T>(where: string, work: () => Promise<T>): Promise<T | null>
  all(): { readonly findings: readonly Finding[]; readonly more: number }
}

/** A folder that is of another log altogether has as many findings as files. */
const LISTED = 50

export function createFindings(): Findings {
  const findings: Finding[] = []
  let more = 0
  const add = (where: string, says: string, code: string | null = null): void => {
    if (findings.length < LISTED) findings.push({ where, says, code })
    else more += 1
  }
  const note = (where: string, error: unknown): null => {
    if (error instanceof ProofError) add(where, error.message, error.code)
    else throw error
    return null
  }
  return {
    add,
    unless(where, work) {
      try {
        return work()
      } catch (error) {
        return note(where, error)
      }
    },
    async unlessAsync(where, work) {
      try {
        return await work()
      } catch (error) {
        return note(where, error)
      }
    },
    all: () => ({ findings, more }),
  }
}
