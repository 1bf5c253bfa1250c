import { z } from 'zod'
import type { Gatebook, Introspection, RequestContext, SessionTokens } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import type { Settings } from '../../options.ts'
import { JWKS_CACHE_SECONDS } from '../../token/key-times.ts'
import { clientOf } from '../client-credentials.ts'
import { isOn, JWKS_PATH, metadataPath, OAUTH_PATHS } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { grantedTokensSchema, introspectionSchema, metadataSchema } from '../schema.ts'
import { toWireGrantedTokens } from '../wire.ts'

type OauthSettings = Pick<Settings, 'issuer' | 'oauthPath' | 'audience' | 'clientId' | 'authorizationUrl'>

/** RFC 6749 §3.1: what is not known is ignored. */
const form = z.object({
  token: z.string().min(1),
  token_type_hint: z.string().optional(),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
})

const tokenForm = z.object({
  grant_type: z.string(),
  code: z.string().optional(),
  redirect_uri: z.string().optional(),
  code_verifier: z.string().optional(),
  refresh_token: z.string().optional(),
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
      name: 'redeem',
      method: 'POST',
      path: oauthPath + OAUTH_PATHS.token,
      summary:
        'Tokens for a code or a refresh token of an application that a user was handed over to (RFC 6749 §4.1.3, §6).',
      auth: 'none',
      style: 'oauth',
      body: tokenForm,
      responses: { 200: grantedTokensSchema },
      errors: ['ERR_CLIENT_INVALID', 'ERR_CODE_INVALID', 'ERR_REFRESH_INVALID', 'ERR_GRANT_UNSUPPORTED'],
      async handle({ gate, authorization, body, context }) {
        const client = clientOf(authorization, body)
        const tokens = await redeem(gate, client, body, context)
        return { status: 200, body: toWireGrantedTokens(tokens), headers: { Pragma: 'no-cache' } }
      },
    }),
    defineRoute({
      name: 'introspect',
      method: 'POST',
      path: oauthPath + OAUTH_PATHS.introspect,
      summary: 'What a token is worth at this moment (RFC 7662).',
      auth: 'client',
      style: 'oauth',
      body: form,
      responses: { 200: introspectionSchema },
      async handle({ gate, client, body: { token } }) {
        const found = await gate.tokens.introspect(token)
        // An application that users are handed over to has no business with the tokens of others.
        const isForeign = client!.redirectUris.length > 0 && found.active && found.clientId !== client!.id
        return { status: 200, body: toWireIntrospection(isForeign ? { active: false } : found, settings) }
      },
    }),
    defineRoute({
      name: 'revokeToken',
      method: 'POST',
      path: oauthPath + OAUTH_PATHS.revoke,
      summary: 'Ends the session of a token (RFC 7009); 200 for what was no token, too.',
      auth: 'none',
      style: 'oauth',
      body: form,
      responses: { 200: null },
      errors: ['ERR_CLIENT_INVALID'],
      async handle({ gate, authorization, body, context }) {
        await gate.authorizations.revoke({ ...clientOf(authorization, body), token: body.token }, context)
        return { status: 200 }
      },
    }),
  ]
}

function redeem(
  gate: Gatebook,
  client: ReturnType<typeof clientOf>,
  form: z.infer<typeof tokenForm>,
  context: RequestContext,
): Promise<SessionTokens> {
  const { grant_type: kind, code, redirect_uri: redirectUri, code_verifier: codeVerifier, refresh_token: token } = form
  if (kind === 'refresh_token' && token !== undefined) {
    return gate.authorizations.refresh({ ...client, refreshToken: token }, context)
  }
  if (kind === 'authorization_code' && code !== undefined && redirectUri !== undefined && codeVerifier !== undefined) {
    return gate.authorizations.redeem({ ...client, code, redirectUri, codeVerifier }, context)
  }
  const needed = { refresh_token: ['refresh_token'], authorization_code: ['code', 'redirect_uri', 'code_verifier'] }
  if (!Object.hasOwn(needed, kind)) throw new GatebookError('ERR_GRANT_UNSUPPORTED')
  const missing = needed[kind as keyof typeof needed].filter((name) => form[name as keyof typeof form] === undefined)
  throw new GatebookError('ERR_BODY_INVALID', { members: { members: missing } })
}

const CLIENT_METHODS = ['client_secret_basic', 'client_secret_post']

/** Codes come from whoever logs users in: the server's own pages, or an application's (`authorizationUrl`). */
function describeServer({ issuer, oauthPath, authorizationUrl }: OauthSettings): Record<string, unknown> {
  const base = issuer.replace(/\/$/, '')
  return {
    issuer,
    jwks_uri: base + JWKS_PATH,
    ...(authorizationUrl === null
      ? { response_types_supported: [], grant_types_supported: [] }
      : {
          authorization_endpoint: authorizationUrl,
          response_types_supported: ['code'],
          response_modes_supported: ['query'],
          grant_types_supported: ['authorization_code', 'refresh_token'],
          code_challenge_methods_supported: ['S256'],
          authorization_response_iss_parameter_supported: true,
        }),
    ...(isOn(oauthPath) && {
      token_endpoint: base + oauthPath + OAUTH_PATHS.token,
      token_endpoint_auth_methods_supported: [...CLIENT_METHODS, 'none'],
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
    client_id: claims?.clientId ?? found.clientId ?? clientId,
    ...(claims !== null && {
      token_type: 'Bearer',
      aud: audience,
      iat: Math.floor(claims.issuedAt / 1000),
      jti: claims.tokenId,
      roles: claims.roles,
    }),
  }
}
