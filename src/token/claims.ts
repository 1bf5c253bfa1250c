/** Tolerated difference between the clocks of two machines, in seconds. */
export const CLOCK_SKEW_SECONDS = 60

/** RFC 7519 §4.1, RFC 9068 §2.2 and what this project puts into access tokens. */
const REGISTERED = new Set([
  ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'client_id', 'sid', 'gen', 'auth_time', 'roles'],
  ...['scope', 'cnf', 'act', 'azp', 'acr', 'amr', 'typ', 'events', '__proto__'],
])

/** Whether the application must not use this name for a claim of its own. */
export function isRegisteredClaim(name: string): boolean {
  return REGISTERED.has(name)
}
