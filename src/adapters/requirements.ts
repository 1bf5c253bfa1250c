import type { AuthenticationRequirements } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { isPlainObject } from '../util/plain-object.ts'

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
 * is undefined by a typo, that has another name here, or that is inherited (a class, a Map), would let everybody in.
 * `besides` are the members that an adapter reads itself: it hands over what it was given, since a copy would hide all that.
 */
export function required(options: RequireUserOptions, besides: readonly string[] = []): Requirements {
  if (!isPlainObject(options)) throw invalid('the requirements are not a plain object.')
  const taken: Record<string, unknown> = { optional: false }
  for (const name of Reflect.ownKeys(options)) {
    if (typeof name === 'string' && besides.includes(name)) continue
    if (typeof name === 'symbol' || !Object.hasOwn(MEMBERS, name)) {
      throw invalid(`there is no requirement ${String(name)}.`)
    }
    const [is, expected] = MEMBERS[name]!
    // Read once, and copied by name: what is checked is what is asked for, enumerable or not.
    const value = options[name]
    if (!is(value)) throw invalid(`${name} is not right; ${expected} is expected.`)
    taken[name] = value
  }
  return taken as unknown as Requirements
}

function invalid(detail: string): GatebookError {
  return new GatebookError('ERR_ARGUMENT_INVALID', { detail: `A protected route: ${detail}` })
}
