import { expect } from 'vitest'
import { ProofError, type ProofErrorCode } from '../../src/proof/index.ts'

/** The code that something is refused with; null when it is let through. What is no ProofError is thrown on. */
export function codeOf(action: () => unknown): ProofErrorCode | null {
  try {
    action()
  } catch (error) {
    if (error instanceof ProofError) return error.code
    throw error
  }
  return null
}

export function expectRefused(action: () => unknown, code: ProofErrorCode): void {
  expect(codeOf(action)).toBe(code)
}
