import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessClaims, Gatebook, HttpResponse, RequestContext } from '../api.ts'
import { toRefusal } from './refusal.ts'
import { describeRequest, headerOf, type NodeRequest, readHeaders, type Target, targetOf } from './request.ts'
import type { Requirements } from './requirements.ts'
import { sendResponse } from './respond.ts'

/** What the adapters for node:http and for frameworks upon it share. */

const contexts = new WeakMap<IncomingMessage, RequestContext>()

/** Address with its provenance, user agent and request id; the same object each time it is asked for one request. */
export function contextOf(gate: Gatebook, request: IncomingMessage): RequestContext {
  const known = contexts.get(request)
  if (known !== undefined) return known
  const context = gate.contextOf(readHeaders(request), { remoteAddress: request.socket.remoteAddress })
  contexts.set(request, context)
  return context
}

/** Where a framework keeps what Node keeps in the request itself. */
export interface Kept {
  /** The target of the request line, where the one of the request is cut. */
  readonly target?: string | undefined
  /** What a body parser left. */
  readonly body?: unknown
}

/** The answer when the path is Gatebook's. Null when it is not: then nothing has been touched. */
export function answerClaimed(
  gate: Gatebook,
  request: NodeRequest,
  { target = request.url, body = request.body }: Kept = {},
): Promise<HttpResponse> | null {
  const url = targetOf({ url: target })
  return url !== null && gate.handles(url.pathname) ? answer(gate, request, url, body) : null
}

/** The answer in any case: 404 for what is not Gatebook's. */
export function answerAll(gate: Gatebook, request: NodeRequest): Promise<HttpResponse> {
  // A path that nobody answers, for a target that is none.
  return answer(gate, request, targetOf(request) ?? new URL('http://localhost//'), request.body)
}

function answer(gate: Gatebook, request: IncomingMessage, url: Target, body: unknown): Promise<HttpResponse> {
  return gate.exchange(describeRequest(request, url, body), { remoteAddress: request.socket.remoteAddress })
}

/** Who may go on, or what everybody else is told. */
export type Admitted = { readonly user: AccessClaims | null } | { readonly refusal: HttpResponse }

/**
 * The verified caller, null for none where that is enough; or the answer that refuses the request. Throws only what is no
 * refusal, which is for the error handling of the application.
 */
export async function admit(gate: Gatebook, request: IncomingMessage, requirements: Requirements): Promise<Admitted> {
  const described = { headers: readHeaders(request), method: request.method ?? 'GET' }
  try {
    return { user: await gate.authenticate(described, requirements, () => contextOf(gate, request)) }
  } catch (error) {
    return { refusal: refusalOf(gate, request, error) }
  }
}

/** The problem document for a refusal. Throws what is none. */
function refusalOf(gate: Gatebook, request: IncomingMessage, thrown: unknown): HttpResponse {
  const authorized = headerOf(request, 'authorization') !== null
  return toRefusal(gate, thrown, { context: () => contextOf(gate, request), authorized })
}

/** `admit` for frameworks that answer on the response of node:http: null when that has happened. */
export async function admitOrAnswer(
  gate: Gatebook,
  request: IncomingMessage,
  outgoing: ServerResponse,
  requirements: Requirements,
): Promise<{ readonly user: AccessClaims | null } | null> {
  const admitted = await admit(gate, request, requirements)
  if ('user' in admitted) return admitted
  sendResponse(request, outgoing, admitted.refusal)
  return null
}
