import { z } from 'zod'
import { defineRoute, type Route } from '../route.ts'
import { configurationSchema } from '../schema.ts'

export function adminConfigurationRoutes(prefix: string): readonly Route[] {
  return [
    defineRoute({
      name: 'getConfiguration',
      method: 'GET',
      path: `${prefix}/api/configuration`,
      summary: 'The settings in force, and where each comes from; of a secret, whether it is set.',
      auth: 'admin',
      query: z.strictObject({}),
      responses: { 200: configurationSchema },
      async handle({ gate }) {
        return { status: 200, body: { items: gate.configuration().map((setting) => ({ ...setting })) } }
      },
    }),
  ]
}
