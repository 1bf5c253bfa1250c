import { CLOCK_SKEW_SECONDS } from './claims.ts'

/** For how long whoever fetches the JWKS may keep it: what the answer says in Cache-Control. */
export const JWKS_CACHE_SECONDS = 600
/** How often each process reads the keys of the database. */
export const KEY_RELOAD_SECONDS = 2

/** For a slow process, a slow proxy in front of the JWKS and clocks that are apart. */
const MARGIN_SECONDS = CLOCK_SKEW_SECONDS

/** From the moment in which a key is published to the one in which it may sign: then everybody who keeps the JWKS has it. */
export const PUBLISHED_FIRST_SECONDS: number = JWKS_CACHE_SECONDS + KEY_RELOAD_SECONDS + MARGIN_SECONDS

/** From the moment in which another key signs to the one in which no access token of this one can be valid any more. */
export function retiringSeconds(accessTokenSeconds: number): number {
  return accessTokenSeconds + KEY_RELOAD_SECONDS + MARGIN_SECONDS
}
