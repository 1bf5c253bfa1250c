import type { RequestContext } from '../api.ts'
import type { Actor, Network } from '../event/event.ts'
import type { EventSource } from '../session/end-sessions.ts'
import { normalizeAddress } from '../util/address.ts'

/** The part of an event that follows from the request. `actor` is who acts unless the context names somebody else. */
export function eventSource(context: RequestContext, actor: Actor, deviceId?: string): EventSource {
  return {
    actor: context.actor ?? actor,
    network: networkOf(context, deviceId),
    ...(context.requestId !== undefined && { requestId: context.requestId }),
    ...(context.traceId !== undefined && { traceId: context.traceId }),
  }
}

export function networkOf(context: RequestContext, deviceId?: string): Network {
  const ip = context.ip === undefined ? null : normalizeAddress(context.ip)
  return {
    ...(ip !== null && { ip }),
    ipSource: ip === null ? 'unknown' : (context.ipSource ?? 'application'),
    ...(context.userAgent !== undefined && { userAgent: context.userAgent }),
    ...(deviceId !== undefined && { deviceId }),
  }
}
