import { GatebookError } from '../../errors.ts'
import { formatMetrics, METRICS_TYPE } from '../metrics.ts'
import { OPERATION_PATHS } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { documentSchema, healthSchema, metricsSchema, readySchema } from '../schema.ts'

/** `document` is asked for late, because it describes these routes too. */
export function operationsRoutes(prefix: string, document: () => unknown): readonly Route[] {
  return [
    defineRoute({
      name: 'health',
      method: 'GET',
      path: prefix + OPERATION_PATHS.health,
      summary: 'Whether the process answers at all.',
      auth: 'none',
      responses: { 200: healthSchema },
      async handle() {
        return { status: 200, body: { status: 'ok' } }
      },
    }),
    defineRoute({
      name: 'ready',
      method: 'GET',
      path: prefix + OPERATION_PATHS.ready,
      summary: 'Whether log-ins can be answered now.',
      auth: 'none',
      responses: { 200: readySchema },
      errors: ['ERR_UNAVAILABLE'],
      async handle({ gate }) {
        const { ready, reason } = await gate.ready()
        // The reason may name hosts, so it goes to diagnostics and not to whoever asks.
        if (!ready) throw new GatebookError('ERR_UNAVAILABLE', { detail: `Not ready: ${reason ?? 'no reason given'}.` })
        return { status: 200, body: { ready: true } }
      },
    }),
    defineRoute({
      name: 'metrics',
      method: 'GET',
      path: prefix + OPERATION_PATHS.metrics,
      summary: 'Figures of this process, in the text format of Prometheus.',
      auth: 'none',
      responses: { 200: metricsSchema },
      types: ['text/plain'],
      async handle({ gate }) {
        return { status: 200, text: formatMetrics(gate), headers: { 'Content-Type': METRICS_TYPE } }
      },
    }),
    defineRoute({
      name: 'openapi',
      method: 'GET',
      path: prefix + OPERATION_PATHS.document,
      summary: 'This document.',
      auth: 'none',
      responses: { 200: documentSchema },
      async handle() {
        return { status: 200, body: document() }
      },
    }),
  ]
}
