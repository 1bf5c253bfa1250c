import type { RequestContext } from '../api.ts'
import type { Settings } from '../options.ts'
import { isPrivateAddress } from '../util/address.ts'
import { generateId } from '../util/id.ts'
import { type Connection, createAddressReader } from './client-address.ts'
import type { HeaderReader } from './exchange.ts'

/** With a request id always; the rest as far as it is known. */
export type HttpContext = RequestContext & { readonly requestId: string }

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export type ContextReader = (headers: HeaderReader, connection?: Connection) => HttpContext

/** A request id from outside stands in logs and answers, so only plain ones are taken over, and none that looks like ours. */
const REQUEST_ID = /^(?!req_)[A-Za-z0-9._-]{1,64}$/
/** What a mail is written in; a longer header is not one that a browser sends, and `*` says nothing. */
const LANGUAGE = /^(?!\*$)[A-Za-z0-9,;=.*\- ]{1,200}$/
/** W3C Trace Context: version, trace id, parent id, flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/** What a request says about its caller. Throws ERR_OPTION_INVALID when `trustedProxies` cannot be read. */
export function createContextReader(settings: Settings): ContextReader {
  const readAddress = createAddressReader(settings.trustedProxies)
  const warn = warnOnce(settings)
  return (headers, connection) => {
    const address = readAddress(headers, connection)
    if (address.ipSource === 'header-ignored') warn(address.ip!)
    const userAgent = headers.get('user-agent')
    const inbound = headers.get('x-request-id')
    const language = headers.get('accept-language')
    const parent = headers.get('traceparent')
    const traceId = parent === null ? undefined : TRACEPARENT.exec(parent)?.[1]
    // Not spread together: this is made for every request.
    const context: Writable<HttpContext> = {
      ipSource: address.ipSource,
      requestId: inbound !== null && REQUEST_ID.test(inbound) ? inbound : generateId('request', settings.clock.now()),
    }
    if (address.ip !== undefined) context.ip = address.ip
    if (userAgent !== null) context.userAgent = userAgent
    if (traceId !== undefined) context.traceId = traceId
    if (language !== null && LANGUAGE.test(language)) context.language = language
    return context
  }
}

/**
 * Behind a proxy that nobody told us of, everybody has the proxy's address: one throttle for all of them. A client on the
 * internet may send such a header for fun, so only a peer that can be a proxy of our own is worth a line.
 */
function warnOnce({ trustedProxies, diagnostics }: Settings): (peer: string) => void {
  let warned = false
  return (peer) => {
    if (warned || trustedProxies.length > 0 || !isPrivateAddress(peer)) return
    warned = true
    diagnostics.warn(
      { peer },
      'A request came with a forwarding header from a private address. If that is a proxy, name it in trustedProxies: until then all its clients are recorded, and throttled, as one address.',
    )
  }
}
