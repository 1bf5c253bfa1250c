import type { SessionGrant } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { isRegisteredClaim } from '../token/claims.ts'
import { parseRole } from '../user/role.ts'
import type { SessionRow } from './session-row.ts'

const CLAIMS_BYTES = 2048

export interface CheckedGrant {
  readonly method: string
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
}

/** Throws ERR_ROLE_INVALID or ERR_CLAIMS_INVALID: before anything is counted or written. */
export function checkGrant(grant: SessionGrant = {}): CheckedGrant {
  const roles = [...new Set((grant.roles ?? []).map(parseRole))].sort()
  const method = grant.method ?? 'password'
  if (!/^[a-z0-9-]{1,32}$/.test(method)) {
    throw new GatebookError('ERR_CLAIMS_INVALID', {
      detail: 'method must be 1 to 32 characters out of a-z, 0-9 and "-"',
    })
  }
  return { method, roles, claims: checkClaims(grant.claims ?? {}) }
}

/** What a session was given when it began, beside what its user has. */
export function grantOf({ method, roles, claims }: SessionRow): CheckedGrant {
  return {
    method,
    roles: roles === null ? [] : (JSON.parse(roles) as string[]),
    claims: claims === null ? {} : (JSON.parse(claims) as Record<string, unknown>),
  }
}

/** A copy that is certain to survive JSON. */
export function checkClaims(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const text = formatJson(claims)
  if (text === undefined || !text.startsWith('{') || Buffer.byteLength(text) > CLAIMS_BYTES || !text.isWellFormed()) {
    throw new GatebookError('ERR_CLAIMS_INVALID', {
      detail: `claims must be a JSON object of at most ${CLAIMS_BYTES} bytes`,
    })
  }
  // The copy is what counts: `toJSON` can make anything of the original.
  const copy = JSON.parse(text) as Record<string, unknown>
  const taken = Object.keys(copy).find(isRegisteredClaim)
  if (taken !== undefined) throw new GatebookError('ERR_CLAIMS_INVALID', { members: { claim: taken } })
  return copy
}

/** Undefined for what JSON cannot hold: a bigint, a circle. */
function formatJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
