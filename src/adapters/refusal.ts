import type { Gatebook, HttpResponse, RequestContext } from '../api.ts'
import { createAnswering } from '../http/answer.ts'
import { isTellable } from '../http/error-map.ts'

export interface RefusedRequest {
  readonly context: () => RequestContext
  /** Whether an Authorization header came with it. */
  readonly authorized: boolean
}

/** The problem document for a refusal. Throws what is none: that is for the error handling of the application. */
export function toRefusal(gate: Gatebook, thrown: unknown, request: RefusedRequest): HttpResponse {
  if (!isTellable(thrown)) throw thrown
  return toProblemDocument(gate, thrown, request)
}

/** The same for anything: what a client may not know is ERR_INTERNAL to it. */
export function toProblemDocument(
  gate: Gatebook,
  thrown: unknown,
  { context, authorized }: RefusedRequest,
): HttpResponse {
  return createAnswering(gate.issuer).refuse(thrown, { requestId: context().requestId ?? '', authorized })
}
