import type { HttpResponse } from '../api.ts'
import type { GatebookError } from '../errors.ts'
import { createAnswering } from '../http/answer.ts'
import { generateId } from '../util/id.ts'

/** The answer to a request that does not get as far as the API. */
export type RefuseUnasked = (error: GatebookError) => { readonly response: HttpResponse; readonly requestId: string }

export function createRefusal(issuer: string): RefuseUnasked {
  const answering = createAnswering(issuer)
  return (error) => {
    const requestId = generateId('request', Date.now())
    return { response: answering.refuse(error, { requestId, authorized: false }), requestId }
  }
}
