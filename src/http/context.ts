import type { RequestContext } from '../api.ts'
import type { Settings } from '../options.ts'
import { generateId } from '../util/id.ts'
import { type Connection, createAddressReader } from './client-address.ts'

/** With a request id always; the rest as far as it is known. */
export type HttpContext = RequestContext & { readonly requestId: string }

export type ContextReader = (headers: Headers, connection?: Connection) => HttpContext

/** A request id from outside stands in logs and answers, so only plain ones are taken over, and none that looks like ours. */
const REQUEST_ID = /^(?!req_)[A-Za-z0-9._-]{1,64}$/
/** W3C Trace Context: version, trace id, parent id, flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/** What a request says about its caller. Throws ERR_OPTION_INVALID when `trustedProxies` cannot be read. */
export function createContextReader(settings: Settings): ContextReader {
  const readAddress = createAddressReader(settings.trustedProxies)
  return (headers, connection) => {
    const userAgent = headers.get('user-agent')
    const inbound = headers.get('x-request-id')
    const traceId = TRACEPARENT.exec(headers.get('traceparent') ?? '')?.[1]
    return {
      ...readAddress(headers, connection),
      requestId: inbound !== null && REQUEST_ID.test(inbound) ? inbound : generateId('request', settings.clock.now()),
      ...(userAgent === null ? {} : { userAgent }),
      ...(traceId === undefined ? {} : { traceId }),
    }
  }
}
