import { JWKS_CACHE_SECONDS } from '../../token/key-times.ts'
import { JWKS_PATH } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { jwksSchema } from '../schema.ts'

export const jwksRoutes: readonly Route[] = [
  defineRoute({
    name: 'jwks',
    method: 'GET',
    path: JWKS_PATH,
    summary: 'The public keys that access tokens are verified with (RFC 7517).',
    auth: 'none',
    responses: { 200: jwksSchema },
    async handle({ gate }) {
      // Keys are published before they sign, so a copy of this age never lacks one.
      return {
        status: 200,
        body: gate.tokens.jwks(),
        headers: { 'Cache-Control': `public, max-age=${JWKS_CACHE_SECONDS}` },
      }
    },
  }),
]
