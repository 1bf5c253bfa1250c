import { z } from 'zod'
import { asAdmin } from '../as-admin.ts'
import { addressReportSchema, overviewSchema, toWireAddressReport, toWireOverview } from '../figures.ts'
import { defineRoute, type Route } from '../route.ts'
import { instantParameter } from '../schema.ts'

const window = { from: z.exactOptional(instantParameter), to: z.exactOptional(instantParameter) }

const buckets = z
  .string()
  .regex(/^[1-9]\d{0,2}$/)
  .transform(Number)
  .pipe(z.int().min(1).max(200))

export function adminFigureRoutes(prefix: string): readonly Route[] {
  return [
    defineRoute({
      name: 'getOverview',
      method: 'GET',
      path: `${prefix}/api/overview`,
      summary: 'What happened in a window, in numbers: of the last 24 hours, in 96 buckets, unless asked otherwise.',
      auth: 'admin',
      query: z.strictObject({ ...window, buckets: z.exactOptional(buckets) }),
      responses: { 200: overviewSchema },
      async handle({ gate, query }) {
        return { status: 200, body: toWireOverview(await gate.log.overview(query)) }
      },
    }),
    defineRoute({
      name: 'getAddress',
      method: 'GET',
      path: `${prefix}/api/addresses/{address}`,
      summary: 'Who came from an address or a CIDR (with its slash as %2F), and what came of it. Leaves log.read.',
      auth: 'admin',
      query: z.strictObject(window),
      responses: { 200: addressReportSchema },
      async handle({ gate, claims, params: { address = '' }, query, context }) {
        const report = await gate.log.address(address, query, asAdmin(context, claims))
        return { status: 200, body: toWireAddressReport(report) }
      },
    }),
  ]
}
