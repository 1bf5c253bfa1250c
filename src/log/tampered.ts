import { GatebookError } from '../errors.ts'
import { ProofError } from '../proof/proof-error.ts'

/** What was read does not agree with what was signed. `detail` names the place, for the operator. */
export function tampered(detail: string, cause?: unknown): GatebookError {
  return new GatebookError('ERR_LOG_TAMPERED', { detail, cause })
}

/** Runs what verifies: a proof that does not hold is ERR_LOG_TAMPERED, which says what it was about. */
export async function orTampered<T>(about: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProofError) throw tampered(`${about}: ${error.message}`, error)
    throw error
  }
}
