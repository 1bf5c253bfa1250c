import type { AccessClaims, RequestContext } from '../api.ts'

/** The context of something that an admin does to somebody or something else. */
export function asAdmin(context: RequestContext, claims: AccessClaims): RequestContext {
  return { ...context, actor: { kind: 'admin', id: claims.userId } }
}
