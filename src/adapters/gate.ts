import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessClaims, AuthenticationRequirements, Gatebook, RequestContext } from '../api.ts'
import { createAnswering } from '../http/answer.ts'
import { isTellable } from '../http/error-map.ts'
import { headerOf, headersOf, type NodeRequest, targetOf, toFetchRequest } from './request.ts'
import { sendResponse } from './respond.ts'

/** What the adapters for node:http and for frameworks upon it share. */

export type RequireUserOptions = AuthenticationRequirements

const contexts = new WeakMap<IncomingMessage, RequestContext>()

/** Address with its provenance, user agent and request id; the same object each time it is asked for one request. */
export function contextOf(gate: Gatebook, request: IncomingMessage): RequestContext {
  const known = contexts.get(request)
  if (known !== undefined) return known
  const context = gate.contextOf(headersOf(request), { remoteAddress: request.socket.remoteAddress })
  contexts.set(request, context)
  return context
}

/** Answers when the path is Gatebook's. False when it is not: then nothing has been touched. */
export function answerClaimed(gate: Gatebook, request: NodeRequest, outgoing: ServerResponse): Promise<void> | false {
  const url = targetOf(request)
  return url !== null && gate.handles(url.pathname) && answer(gate, request, outgoing, url)
}

/** Answers in any case: 404 for what is not Gatebook's. */
export function answerAll(gate: Gatebook, request: NodeRequest, outgoing: ServerResponse): Promise<void> {
  return answer(gate, request, outgoing, targetOf(request) ?? new URL('http://localhost/'))
}

async function answer(gate: Gatebook, request: NodeRequest, outgoing: ServerResponse, url: URL): Promise<void> {
  const connection = { remoteAddress: request.socket.remoteAddress }
  await sendResponse(request, outgoing, await gate.fetch(toFetchRequest(request, url), connection))
}

/**
 * The verified caller; null when there is none, and then the problem document has been sent. Throws only what is no
 * refusal, which is for the error handling of the application.
 */
export async function admit(
  gate: Gatebook,
  request: IncomingMessage,
  outgoing: ServerResponse,
  options: RequireUserOptions,
): Promise<AccessClaims | null> {
  try {
    return await gate.authenticate(describe(request), options, () => contextOf(gate, request))
  } catch (error) {
    if (!isTellable(error)) throw error
    await refuse(gate, request, outgoing, error)
    return null
  }
}

/** Without a copy of all the headers, of which one or two are looked at. */
function describe(request: IncomingMessage): Parameters<Gatebook['authenticate']>[0] {
  return { headers: { get: (name) => headerOf(request, name) }, method: request.method ?? 'GET' }
}

/** Sends the problem document for anything that was thrown. */
export async function refuse(
  gate: Gatebook,
  request: IncomingMessage,
  outgoing: ServerResponse,
  thrown: unknown,
): Promise<void> {
  const requestId = contextOf(gate, request).requestId ?? ''
  const problem = { requestId, authorized: headerOf(request, 'authorization') !== null }
  await sendResponse(request, outgoing, createAnswering(gate.issuer).refuse(thrown, problem))
}
