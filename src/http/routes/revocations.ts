import { z } from 'zod'
import { defineRoute, type Route } from '../route.ts'
import { revocationPageSchema, waitParameter } from '../schema.ts'
import { toWireRevocations } from '../wire.ts'

/** For verifiers elsewhere. */
export const revocationRoutes: readonly Route[] = [
  defineRoute({
    name: 'listRevocations',
    method: 'GET',
    path: '/auth/revocations',
    summary:
      'Sessions whose access tokens must be refused, from `after` on (the `next` of the answer before); waits up to `wait` seconds for something new.',
    auth: 'client',
    query: z.strictObject({ after: z.exactOptional(z.string().min(1)), wait: z.exactOptional(waitParameter) }),
    responses: { 200: revocationPageSchema },
    errors: ['ERR_CURSOR_INVALID'],
    async handle({ gate, query: { wait = 0, ...after } }) {
      return { status: 200, body: toWireRevocations(await gate.revocations.read({ ...after, waitSeconds: wait })) }
    },
  }),
]
