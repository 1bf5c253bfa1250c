import { z } from 'zod'
import type { WatchStep } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { isTellable } from '../error-map.ts'
import { formatStreamEvent, KEEP_ALIVE, toByteStream } from '../event-stream.ts'
import type { RouteSettings } from '../paths.ts'
import { type Call, defineRoute, type Route } from '../route.ts'
import { eventStreamSchema, pageParameters, queryParameter, timeZoneParameter } from '../schema.ts'
import { toWireEvent } from '../wire.ts'
import { toFilter } from './admin-events.ts'

const STREAMS_MOST = 100
const RETRY_SECONDS = 30
/** A session that has ended is told so within this time and the two seconds that processes need to hear of it. */
const CHECK_MILLISECONDS = 1000
const KEEP_ALIVE_MILLISECONDS = 15_000

export function adminEventStreamRoutes(prefix: string, { clock }: Pick<RouteSettings, 'clock'>): readonly Route[] {
  let open = 0

  /** Throws ERR_STREAMS_EXHAUSTED. */
  function takePlace(stop: AbortSignal): void {
    if (open >= STREAMS_MOST) throw new GatebookError('ERR_STREAMS_EXHAUSTED', { retryAfterSeconds: RETRY_SECONDS })
    open += 1
    const leave = () => {
      open -= 1
    }
    stop.addEventListener('abort', leave, { once: true })
  }

  return [
    defineRoute({
      name: 'watchEvents',
      method: 'GET',
      path: `${prefix}/api/events/stream`,
      summary:
        'Events as they come in, or from behind a cursor, as an event stream: `ready`, then `event` for each; `overflow` or `end` where it ends. Leaves no event.',
      auth: 'admin',
      query: z.strictObject({
        q: z.exactOptional(queryParameter),
        time_zone: z.exactOptional(timeZoneParameter),
        cursor: pageParameters.cursor,
      }),
      responses: { 200: eventStreamSchema },
      types: ['text/event-stream'],
      errors: ['ERR_CURSOR_INVALID', 'ERR_STREAMS_EXHAUSTED'],
      async handle({ gate, query: { cursor, ...asked }, signal, lastEventId, recheck }) {
        const filter = toFilter(asked, clock.now())
        // What a client that reconnects by itself sends is newer than what stands in the address.
        const after = lastEventId || cursor
        const stop = new AbortController()
        takePlace(stop.signal)
        signal?.addEventListener('abort', () => stop.abort(), { signal: stop.signal })
        const steps = gate.log
          .watch({
            filter,
            ...(after !== undefined && { after }),
            idleMilliseconds: CHECK_MILLISECONDS,
            signal: stop.signal,
          })
          [Symbol.asyncIterator]()
        try {
          // What is wrong with the question is an answer, and no stream.
          const first = await steps.next()
          if (signal?.aborted) stop.abort()
          return { status: 200, stream: toByteStream(toTexts(first, steps, recheck, stop.signal), stop) }
        } catch (error) {
          stop.abort()
          throw error
        }
      },
    }),
  ]
}

type Steps = AsyncIterator<WatchStep>

async function* toTexts(
  first: IteratorResult<WatchStep>,
  steps: Steps,
  recheck: Call['recheck'],
  stop: AbortSignal,
): AsyncGenerator<string, void, void> {
  let checkedAt = performance.now()
  let spokenAt = checkedAt
  try {
    for (let next = first; !next.done; next = await steps.next()) {
      const now = performance.now()
      if (now - checkedAt >= CHECK_MILLISECONDS) {
        await recheck()
        checkedAt = now
      }
      const text = toText(next.value, now - spokenAt >= KEEP_ALIVE_MILLISECONDS)
      if (text === null) continue
      yield text
      spokenAt = performance.now()
      if (next.value.kind === 'overflow') return
    }
    if (!stop.aborted) yield formatStreamEvent('end', null, { code: 'ERR_CLOSED' })
  } catch (error) {
    const code = isTellable(error) ? error.code : 'ERR_INTERNAL'
    yield formatStreamEvent('end', null, { code })
  }
}

function toText(step: WatchStep, isDue: boolean): string | null {
  if (step.kind === 'idle') return isDue ? KEEP_ALIVE : null
  return formatStreamEvent(step.kind, step.cursor, step.kind === 'event' ? toWireEvent(step.event) : {})
}
