import type { ImportedUser } from '../../api.ts'
import { composeHash } from '../../credential/compose-hash.ts'
import { GatebookError } from '../../errors.ts'

/** What a Firebase project hashes with: "Password hash parameters" of its console, in a file. */
export interface FirebaseParameters {
  readonly signerKey: string
  readonly saltSeparator: string
  readonly rounds: number
  readonly memoryCost: number
}

const MEMBERS = new Set([
  'identifier',
  'password_hash',
  'roles',
  'created_at',
  'disabled',
  'confirmed',
  'hash_format',
  'salt',
  'algorithm',
  'iterations',
  'memory',
  'parallelism',
])

/** The members of a row as a user. Throws GatebookError, whose detail names the member and never its value. */
export function toImportedUser(
  members: Readonly<Record<string, unknown>>,
  firebase: FirebaseParameters | null,
): ImportedUser {
  const unknown = Object.keys(members).find((name) => !MEMBERS.has(name))
  if (unknown !== undefined)
    throw wrong(`there is no member${isTellable(unknown) ? ` "${unknown}"` : ' of such a name'}`)
  const createdAt = readInstant(members.created_at)
  return {
    identifier: readText(members, 'identifier'),
    passwordHash: readHashOf(members, firebase),
    roles: readRoles(members.roles),
    disabled: readFlag(members, 'disabled'),
    confirmed: readFlag(members, 'confirmed'),
    ...(createdAt !== undefined && { createdAt }),
  }
}

function readHashOf(members: Readonly<Record<string, unknown>>, firebase: FirebaseParameters | null): string {
  const hash = readText(members, 'password_hash')
  switch (members.hash_format) {
    case undefined:
      return hash
    case 'firebase':
      if (firebase === null) throw wrong('hash_format firebase needs --firebase-parameters')
      return composeHash({ format: 'firebase', hash, salt: readText(members, 'salt'), ...firebase })
    case 'keycloak':
      return composeHash({
        format: 'keycloak',
        hash,
        salt: readText(members, 'salt'),
        algorithm: readText(members, 'algorithm'),
        iterations: Number(members.iterations),
        ...(members.memory != null && { memory: Number(members.memory) }),
        ...(members.parallelism != null && { parallelism: Number(members.parallelism) }),
      })
    default:
      throw wrong('hash_format must be firebase, keycloak or absent')
  }
}

function readText(members: Readonly<Record<string, unknown>>, name: string): string {
  const value = members[name]
  if (typeof value !== 'string' || value === '') throw wrong(`${name} is missing or no text`)
  return value
}

/** A list, or in CSV names that are separated by spaces, commas or semicolons. */
function readRoles(value: unknown): readonly string[] {
  if (value === undefined) return []
  if (typeof value === 'string') return value.split(/[\s,;]+/).filter((role) => role !== '')
  if (Array.isArray(value) && value.every((role) => typeof role === 'string')) return value as string[]
  throw wrong('roles must be a list of texts')
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, false: false, 1: true, 0: false, yes: true, no: false }

function readFlag(members: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = members[name]
  if (value === undefined || value === null) return false
  const flag = FLAGS[String(value).toLowerCase()]
  if (typeof value === 'object' || flag === undefined) throw wrong(`${name} must be true or false`)
  return flag
}

/** Epoch milliseconds, or ISO 8601 with a zone. */
function readInstant(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number') return value
  const text = String(value)
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const zoned = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/.test(text)
  const at = zoned ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  if (Number.isNaN(at)) throw wrong('created_at must be epoch milliseconds, or ISO 8601 with a zone')
  return at
}

/** Whether it can be a name: in a file without names a hash may stand in its place. */
export function isTellable(name: string): boolean {
  return /^[a-z][a-z_]{0,30}$/i.test(name)
}

function wrong(detail: string): GatebookError {
  return new GatebookError('ERR_ROW_MALFORMED', { detail })
}
