import { z } from 'zod'
import { GatebookError } from '../../errors.ts'
import { defineRoute, type Route } from '../route.ts'
import { revocationPageSchema, waitParameter } from '../schema.ts'
import { toWireRevocations } from '../wire.ts'

/** Of one client. A verifier waits once; this is for many instances of it. */
const WAITING_MOST = 100

/** For verifiers elsewhere. */
export function revocationRoutes(): readonly Route[] {
  const waiting = new Map<string, number>()
  const change = (id: string, by: number) => {
    const count = (waiting.get(id) ?? 0) + by
    if (count === 0) waiting.delete(id)
    else waiting.set(id, count)
  }
  return [
    defineRoute({
      name: 'listRevocations',
      method: 'GET',
      path: '/auth/revocations',
      summary:
        'Sessions whose access tokens must be refused, from `after` on (the `next` of the answer before); waits up to `wait` seconds for something new.',
      auth: 'client',
      query: z.strictObject({ after: z.exactOptional(z.string().min(1)), wait: z.exactOptional(waitParameter) }),
      responses: { 200: revocationPageSchema },
      errors: ['ERR_CURSOR_INVALID', 'ERR_THROTTLED'],
      async handle({ gate, client, signal, query: { wait = 0, ...after } }) {
        const { id } = client!
        if ((waiting.get(id) ?? 0) >= WAITING_MOST) throw new GatebookError('ERR_THROTTLED', { retryAfterSeconds: 5 })
        change(id, 1)
        try {
          const options = { ...after, waitSeconds: wait, ...(signal !== undefined && { signal }) }
          return { status: 200, body: toWireRevocations(await gate.revocations.read(options)) }
        } finally {
          change(id, -1)
        }
      },
    }),
  ]
}
