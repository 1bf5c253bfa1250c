import type { AuthenticationRequirements } from '../api.ts'
import { GatebookError } from '../errors.ts'

/** `role` and `maxAgeSeconds`, as of `gate.authenticate`. */
export type RequireUserOptions = AuthenticationRequirements

/** What the guards of every adapter hand to `gate.authenticate`. */
export type Requirements = AuthenticationRequirements & { readonly optional: boolean }

export const OPTIONAL: Requirements = { optional: true }

const isRole = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isDuration = (value: unknown): boolean => typeof value === 'number' && value >= 0

const MEMBERS: Readonly<Record<string, readonly [is: (value: unknown) => boolean, expected: string]>> = {
  role: [isRole, 'the name of a role'],
  maxAgeSeconds: [isDuration, 'a number from 0 on'],
}

/**
 * Throws ERR_ARGUMENT_INVALID where the application is put together, because at a request it would be too late: a role that
 * is undefined by a typo, or that has another name here, would let everybody in.
 */
export function required(options: RequireUserOptions): Requirements {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(MEMBERS, name)) throw invalid(`there is no requirement ${name}.`)
    const [is, expected] = MEMBERS[name]!
    if (!is(value)) throw invalid(`${name} is not right; ${expected} is expected.`)
  }
  return { ...options, optional: false }
}

function invalid(detail: string): GatebookError {
  return new GatebookError('ERR_ARGUMENT_INVALID', { detail: `A protected route: ${detail}` })
}
