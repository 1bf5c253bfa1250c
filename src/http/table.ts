import type { Settings } from '../options.ts'
import { createDocument } from './openapi.ts'
import type { Route } from './route.ts'
import { adminEventRoutes } from './routes/admin-events.ts'
import { adminSessionRoutes } from './routes/admin-sessions.ts'
import { adminUserRoutes } from './routes/admin-users.ts'
import { authRoutes } from './routes/auth.ts'
import { JWKS_PATH, jwksRoutes } from './routes/jwks.ts'
import { OPERATION_PATHS, operationsRoutes } from './routes/operations.ts'
import { ownRoutes } from './routes/own.ts'

type PathSettings = Pick<Settings, 'adminPath' | 'operationsPath' | 'issuer'>

/** Every route that these settings switch on. */
export function listRoutes(settings: PathSettings): readonly Route[] {
  const { adminPath, operationsPath } = settings
  const routes = [...authRoutes, ...ownRoutes, ...jwksRoutes]
  if (isOn(adminPath)) {
    routes.push(...adminEventRoutes(adminPath), ...adminUserRoutes(adminPath), ...adminSessionRoutes(adminPath))
  }
  if (operationsPath !== null) {
    let document: unknown
    routes.push(
      ...operationsRoutes(operationsPath, () => {
        document ??= createDocument(routes, settings.issuer)
        return document
      }),
    )
  }
  return routes
}

/**
 * Whether a path is Gatebook's to answer. Of `/.well-known`, which many programs share, only what is ours.
 * A path with escapes in its fixed part is not: whoever filters paths in front of us must see what we see.
 */
export function claimsPath(settings: PathSettings, path: string): boolean {
  const { adminPath, operationsPath } = settings
  if (path === '/auth' || path.startsWith('/auth/') || path === JWKS_PATH) return true
  if (isOn(adminPath) && (path === `${adminPath}/api` || path.startsWith(`${adminPath}/api/`))) return true
  return operationsPath !== null && Object.values(OPERATION_PATHS).some((tail) => path === operationsPath + tail)
}

/** An empty prefix would put the admin API beside the application's own `/api`; the option's text says that it is off. */
function isOn(adminPath: string | null): adminPath is string {
  return adminPath !== null && adminPath !== ''
}
