import { z } from 'zod'
import type { Introspection } from '../../api.ts'
import type { Settings } from '../../options.ts'
import { JWKS_CACHE_SECONDS } from '../../token/key-times.ts'
import { isOn, JWKS_PATH, metadataPath, OAUTH_PATHS } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { introspectionSchema, metadataSchema } from '../schema.ts'

type OauthSettings = Pick<Settings, 'issuer' | 'oauthPath' | 'audience' | 'clientId'>

/** RFC 6749 §3.1: what is not known is ignored. */
const form = z.object({
  token: z.string().min(1),
  token_type_hint: z.string().optional(),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
})

/** For programs that do not verify tokens themselves, and for libraries that look for them. */
export function oauthRoutes(settings: OauthSettings): readonly Route[] {
  const { oauthPath } = settings
  const metadata = defineRoute({
    name: 'metadata',
    method: 'GET',
    path: metadataPath(settings.issuer),
    summary: 'Where everything is (RFC 8414).',
    auth: 'none',
    responses: { 200: metadataSchema },
    async handle() {
      const headers = { 'Cache-Control': `public, max-age=${JWKS_CACHE_SECONDS}` }
      return { status: 200, body: describeServer(settings), headers }
    },
  })
  if (!isOn(oauthPath)) return [metadata]
  return [
    metadata,
    defineRoute({
      name: 'introspect',
      method: 'POST',
      path: oauthPath + OAUTH_PATHS.introspect,
      summary: 'What a token is worth at this moment (RFC 7662).',
      auth: 'client',
      style: 'oauth',
      body: form,
      responses: { 200: introspectionSchema },
      async handle({ gate, body: { token } }) {
        return { status: 200, body: toWireIntrospection(await gate.tokens.introspect(token), settings) }
      },
    }),
    defineRoute({
      name: 'revokeToken',
      method: 'POST',
      path: oauthPath + OAUTH_PATHS.revoke,
      summary: 'Ends the session of a token (RFC 7009); 200 for what was no token, too.',
      auth: 'client',
      style: 'oauth',
      body: form,
      responses: { 200: null },
      async handle({ gate, client, body: { token }, context }) {
        await gate.tokens.revoke(token, { ...context, actor: { kind: 'application', id: client!.id } })
        return { status: 200 }
      },
    }),
  ]
}

const CLIENT_METHODS = ['client_secret_basic', 'client_secret_post']

/** There is no token endpoint: tokens come from a log-in and not from a grant. */
function describeServer({ issuer, oauthPath }: OauthSettings): Record<string, unknown> {
  const base = issuer.replace(/\/$/, '')
  return {
    issuer,
    jwks_uri: base + JWKS_PATH,
    response_types_supported: [],
    grant_types_supported: [],
    ...(isOn(oauthPath) && {
      introspection_endpoint: base + oauthPath + OAUTH_PATHS.introspect,
      introspection_endpoint_auth_methods_supported: CLIENT_METHODS,
      revocation_endpoint: base + oauthPath + OAUTH_PATHS.revoke,
      revocation_endpoint_auth_methods_supported: CLIENT_METHODS,
    }),
  }
}

/** RFC 7662 §2.2; times in seconds, as in a JWT. The application's own claims stand beside the registered ones. */
function toWireIntrospection(found: Introspection, { issuer, audience, clientId }: OauthSettings): object {
  if (!found.active) return { active: false }
  const { claims } = found
  return {
    ...claims?.claims,
    active: true,
    iss: issuer,
    sub: found.userId,
    sid: found.sessionId,
    auth_time: Math.floor(found.authenticatedAt / 1000),
    exp: Math.floor(found.expiresAt / 1000),
    client_id: claims?.clientId ?? clientId,
    ...(claims !== null && {
      token_type: 'Bearer',
      aud: audience,
      iat: Math.floor(claims.issuedAt / 1000),
      jti: claims.tokenId,
      roles: claims.roles,
    }),
  }
}
