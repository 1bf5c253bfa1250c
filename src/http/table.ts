import { createDocument } from './openapi.ts'
import { isOn, type RouteSettings } from './paths.ts'
import type { Route } from './route.ts'
import { adminClientRoutes } from './routes/admin-clients.ts'
import { adminConfigurationRoutes } from './routes/admin-configuration.ts'
import { adminEventStreamRoutes } from './routes/admin-event-stream.ts'
import { adminEventRoutes } from './routes/admin-events.ts'
import { adminFigureRoutes } from './routes/admin-figures.ts'
import { adminForgettingRoutes } from './routes/admin-forgetting.ts'
import { adminIntegrityRoutes } from './routes/admin-integrity.ts'
import { adminInvitationRoutes } from './routes/admin-invitations.ts'
import { adminKeyRoutes } from './routes/admin-keys.ts'
import { adminSessionRoutes } from './routes/admin-sessions.ts'
import { adminUserRoutes } from './routes/admin-users.ts'
import { authRoutes } from './routes/auth.ts'
import { jwksRoutes } from './routes/jwks.ts'
import { logRoutes } from './routes/log.ts'
import { oauthRoutes } from './routes/oauth.ts'
import { operationsRoutes } from './routes/operations.ts'
import { ownRoutes } from './routes/own.ts'
import { passwordRoutes } from './routes/password.ts'
import { registrationRoutes } from './routes/registration.ts'
import { revocationRoutes } from './routes/revocations.ts'

/** Every route that these settings switch on. */
export function listRoutes(settings: RouteSettings): readonly Route[] {
  const { adminPath, operationsPath } = settings
  const routes = [
    ...registrationRoutes(settings),
    ...authRoutes(settings),
    ...passwordRoutes(settings),
    ...ownRoutes,
    ...jwksRoutes,
    ...revocationRoutes(),
    ...oauthRoutes(settings),
    ...logRoutes(settings),
  ]
  if (isOn(adminPath)) {
    routes.push(
      // In front of the route for one event, whose id it would be taken for.
      ...adminEventStreamRoutes(adminPath, settings),
      ...adminEventRoutes(adminPath, settings),
      ...adminFigureRoutes(adminPath),
      ...adminUserRoutes(adminPath),
      ...adminForgettingRoutes(adminPath),
      ...adminSessionRoutes(adminPath),
      ...adminInvitationRoutes(adminPath),
      ...adminKeyRoutes(adminPath),
      ...adminIntegrityRoutes(adminPath, settings),
      ...adminClientRoutes(adminPath),
      ...adminConfigurationRoutes(adminPath),
    )
  }
  if (operationsPath !== null) {
    let document: unknown
    routes.push(
      ...operationsRoutes(operationsPath, () => {
        document ??= createDocument(routes, settings)
        return document
      }),
    )
  }
  return routes
}
