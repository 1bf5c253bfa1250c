import type { TokenRefusalReason } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { type Counted, createTally, type TallyParts } from './tally.ts'

/** Of all reasons together; whoever has an IPv6 /48 has 65,536 prefixes, and would have an event for each request. */
export const SUMMARIES_PER_WINDOW = 50
/** Twenty seconds in which the database cannot be reached. */
const SUMMARIES_KEPT = 20 * SUMMARIES_PER_WINDOW

/** What of a refused request is told: never who it was or what was presented. */
export type RefusedRequest = Pick<NewEvent, 'network' | 'requestId'>

/**
 * Requests to protected routes that were refused for their access token. Each can be made for nothing and as often as
 * somebody likes, so none is an event of its own: one `token.refused` for each reason and address prefix a second, and
 * beyond the first fifty of a second one for each reason, without an address.
 */
export interface TokenRefusals {
  /** Never throws and never waits. */
  count(reason: TokenRefusalReason, request: RefusedRequest): void
  /** Appends what has been counted. */
  flush(): Promise<void>
  /** The same, but for what was counted at this very instant. */
  flushPast(): Promise<void>
}

export function createTokenRefusals(parts: TallyParts): TokenRefusals {
  const tally = createTally(parts, summarize, { kept: SUMMARIES_KEPT, perWindow: SUMMARIES_PER_WINDOW })
  return {
    count(reason, request) {
      const refusal = { type: 'token.refused', outcome: 'denied', reason, actor: { kind: 'anonymous' } } as const
      tally.count(reason, { ...refusal, ...request })
    },
    flush: tally.flush,
    flushPast: tally.flushPast,
  }
}

/** One reason each: it is part of what is counted together. */
function summarize({ type, network, requestId, from, counts }: Counted): NewEvent {
  const [[reason, count] = ['', 0]] = counts
  return {
    type,
    outcome: 'denied',
    reason,
    actor: { kind: 'anonymous' },
    ...(network !== undefined && { network }),
    ...(requestId !== undefined && { requestId }),
    data: { count, counted_from: from },
  }
}
