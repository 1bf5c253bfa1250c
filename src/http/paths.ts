import type { Settings } from '../options.ts'

export type PathSettings = Pick<Settings, 'adminPath' | 'operationsPath' | 'oauthPath' | 'logPath' | 'issuer'>

/** What decides which routes there are. */
export type RouteSettings = PathSettings &
  Pick<
    Settings,
    'registration' | 'sendReset' | 'audience' | 'clientId' | 'authorizationUrl' | 'cookies' | 'logPublic' | 'clock'
  >

export const JWKS_PATH = '/.well-known/jwks.json'

export const OPERATION_PATHS = {
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
  document: '/openapi.json',
} as const

export const OAUTH_PATHS = { token: '/token', introspect: '/introspect', revoke: '/revoke' } as const

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
export function claimsPath(settings: PathSettings & Pick<Settings, 'dashboard'>, path: string): boolean {
  const { adminPath, operationsPath, logPath } = settings
  if (path === '/auth' || path.startsWith('/auth/') || path === JWKS_PATH) return true
  if (isOauthPath(settings, path) || path === metadataPath(settings.issuer)) return true
  if (isDashboardPath(settings, path)) return true
  if (isOn(adminPath) && (path === `${adminPath}/api` || path.startsWith(`${adminPath}/api/`))) return true
  if (isOn(logPath) && (path === `${logPath}/checkpoint` || path.startsWith(`${logPath}/tile/`))) return true
  return operationsPath !== null && Object.values(OPERATION_PATHS).some((tail) => path === operationsPath + tail)
}

/** An empty prefix would put the admin API beside the application's own `/api`; the option's text says that it is off. */
export function isOn(adminPath: string | null): adminPath is string {
  return adminPath !== null && adminPath !== ''
}

/** Whether a path is one of the dashboard's, or of the API that it has under the same prefix. */
export function isDashboardPath(
  { dashboard, adminPath }: Pick<Settings, 'dashboard' | 'adminPath'>,
  path: string,
): boolean {
  return dashboard && isOn(adminPath) && (path === adminPath || path.startsWith(`${adminPath}/`))
}
