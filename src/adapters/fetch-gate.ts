import type { AccessClaims, Gatebook, RequestContext } from '../api.ts'
import { toFetchResponse } from '../http/exchange.ts'
import { toRefusal } from './refusal.ts'
import type { Requirements } from './requirements.ts'

/** What the adapters for frameworks over Fetch share. There is no socket to be seen: the address is handed in. */

const contexts = new WeakMap<Request, RequestContext>()

/** The same object each time it is asked for one request. */
export function contextOfRequest(gate: Gatebook, request: Request, remoteAddress: string | undefined): RequestContext {
  const known = contexts.get(request)
  if (known !== undefined) return known
  const context = gate.contextOf(request.headers, { remoteAddress })
  contexts.set(request, context)
  return context
}

/**
 * The verified caller, null for none where that is enough, or the answer that refuses the request. Throws only what is no
 * refusal, which is for the error handling of the application.
 */
export async function admitRequest(
  gate: Gatebook,
  request: Request,
  requirements: Requirements,
  remoteAddress: () => string | undefined,
): Promise<AccessClaims | null | Response> {
  const context = () => contextOfRequest(gate, request, remoteAddress())
  try {
    return await gate.authenticate(request, requirements, context)
  } catch (error) {
    return toFetchResponse(toRefusal(gate, error, { context, authorized: request.headers.has('authorization') }))
  }
}
