import type { Settings } from '../options.ts'

export type PathSettings = Pick<Settings, 'adminPath' | 'operationsPath' | 'oauthPath' | 'issuer'>

/** What decides which routes there are. */
export type RouteSettings = PathSettings &
  Pick<Settings, 'registration' | 'sendReset' | 'audience' | 'clientId' | 'cookies'>

export const JWKS_PATH = '/.well-known/jwks.json'

export const OPERATION_PATHS = {
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
  document: '/openapi.json',
} as const

export const OAUTH_PATHS = { introspect: '/introspect', revoke: '/revoke' } as const

/** RFC 8414 §3.1: the path of the issuer comes behind the name. */
export function metadataPath(issuer: string): string {
  return `/.well-known/oauth-authorization-server${issuer.replace(/^https?:\/\/[^/]*/i, '').replace(/\/$/, '')}`
}

/** Whether failures are told as RFC 6749 tells them. */
export function isOauthPath({ oauthPath }: PathSettings, path: string): boolean {
  return isOn(oauthPath) && Object.values(OAUTH_PATHS).some((tail) => path === oauthPath + tail)
}

/**
 * Whether a path is Gatebook's to answer. Of `/.well-known`, which many programs share, only what is ours.
 * A path with escapes in its fixed part is not: whoever filters paths in front of us must see what we see.
 */
export function claimsPath(settings: PathSettings, path: string): boolean {
  const { adminPath, operationsPath } = settings
  if (path === '/auth' || path.startsWith('/auth/') || path === JWKS_PATH) return true
  if (isOauthPath(settings, path) || path === metadataPath(settings.issuer)) return true
  if (isOn(adminPath) && (path === `${adminPath}/api` || path.startsWith(`${adminPath}/api/`))) return true
  return operationsPath !== null && Object.values(OPERATION_PATHS).some((tail) => path === operationsPath + tail)
}

/** An empty prefix would put the admin API beside the application's own `/api`; the option's text says that it is off. */
export function isOn(adminPath: string | null): adminPath is string {
  return adminPath !== null && adminPath !== ''
}
