import { GatebookError } from '../../errors.ts'
import { OPERATION_PATHS } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { documentSchema, healthSchema, readySchema } from '../schema.ts'

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
