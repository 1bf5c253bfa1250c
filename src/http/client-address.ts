import { GatebookError } from '../errors.ts'
import type { AddressSource } from '../event/event.ts'
import { addressKey, normalizeAddress, parseCidrRange } from '../util/address.ts'
import type { HeaderReader } from './exchange.ts'

export interface ClientAddress {
  readonly ip?: string
  readonly ipSource: AddressSource
}

export interface Connection {
  readonly remoteAddress?: string | undefined
}

export type AddressReader = (headers: HeaderReader, connection?: Connection) => ClientAddress

const PEERS_KEPT = 1000

/** From the right: what the nearest proxy wrote comes first. */
interface Hops {
  readonly source: 'forwarded' | 'x-forwarded-for'
  readonly list: Iterable<string>
}

/**
 * Who is calling. Without trusted proxies that is the other end of the socket, whatever the headers say. From a trusted
 * proxy, the walk goes through the header from the right for as long as the hop that it stands on is trusted; what is not
 * an address ends the walk at the last good hop.
 *
 * A proxy writes one of the two headers and hands through what the client wrote into the other. Where a request has both,
 * we cannot know which is which, so only the hops in which the two agree count: a client that adds a header of its own
 * can be recorded as the proxy, never as somebody else.
 *
 * One number instead of addresses is how many proxies stand in front: the peer is the first of them, and so many hops are
 * walked whatever their addresses are. Whoever reaches the process past a proxy then chooses the address.
 *
 * Throws ERR_OPTION_INVALID for a proxy that is not an address, a CIDR or such a number.
 */
export function createAddressReader(trustedProxies: readonly string[]): AddressReader {
  const trusts = createTrust(trustedProxies)
  const peers = new Map<string, string | null>()

  /** Of a socket: the same few again and again. */
  const peerOf = (text: string): string | null => {
    const known = peers.get(text)
    if (known !== undefined) return known
    const peer = normalizeAddress(text)
    if (peers.size >= PEERS_KEPT) peers.clear()
    peers.set(text, peer)
    return peer
  }

  /** The peer and the hops behind it, as far as trust reaches. */
  const walk = (peer: string, hops: Hops): string[] => {
    const chain = [peer]
    for (const text of hops.list) {
      const ip = trusts(chain.at(-1)!, chain.length) ? parseHop(text) : null
      if (ip === null) break
      chain.push(ip)
    }
    return chain
  }

  return (headers, connection) => {
    const peer = peerOf(connection?.remoteAddress ?? '')
    if (peer === null) return { ipSource: 'unknown' }
    const present = presentHops(headers)
    if (present.length === 0) return { ip: peer, ipSource: 'socket' }
    const [chain = [peer], other = chain] = present.map((hops) => walk(peer, hops))
    let depth = 0
    while (depth + 1 < chain.length && chain[depth + 1] === other[depth + 1]) depth++
    if (depth === 0) return { ip: peer, ipSource: 'header-ignored' }
    return { ip: chain[depth] as string, ipSource: present[0]!.source }
  }
}

export interface ExplainedHop {
  /** Where it stands: the other end of the connection, or a header. */
  readonly from: 'socket' | Hops['source']
  /** Null for what is no address. */
  readonly address: string | null
  /** Whether what this hop wrote about the one before it counts. */
  readonly trusted: boolean
}

/** More hops than any request has. */
const EXPLAINED_HOPS = 20

/** What `createAddressReader` would say of a request, and every hop that it went by on the way. */
export function explainAddress(
  trustedProxies: readonly string[],
  headers: HeaderReader,
  connection: Connection,
): { readonly address: ClientAddress; readonly hops: readonly ExplainedHop[] } {
  const trusts = createTrust(trustedProxies)
  const address = createAddressReader(trustedProxies)(headers, connection)
  const peer = normalizeAddress(connection.remoteAddress ?? '')
  if (peer === null) return { address, hops: [{ from: 'socket', address: null, trusted: false }] }
  const hops: ExplainedHop[] = [{ from: 'socket', address: peer, trusted: trusts(peer, 1) }]
  for (const { source, list } of presentHops(headers)) {
    let [depth, reached] = [1, trusts(peer, 1)]
    for (const text of list) {
      if (!reached || depth > EXPLAINED_HOPS) break
      depth += 1
      const ip = parseHop(text)
      reached = ip !== null && trusts(ip, depth)
      hops.push({ from: source, address: ip, trusted: reached })
    }
  }
  return { address, hops }
}

function presentHops(headers: HeaderReader): readonly Hops[] {
  const forwarded = headers.get('forwarded')
  const xForwardedFor = headers.get('x-forwarded-for')
  const present: Hops[] = []
  if (forwarded !== null) present.push({ source: 'forwarded', list: forwardedHops(forwarded) })
  if (xForwardedFor !== null) present.push({ source: 'x-forwarded-for', list: commaHops(xForwardedFor) })
  return present
}

/** Whether the `depth`-th hop from here, the peer being the first, is one of ours. */
function createTrust(trustedProxies: readonly string[]): (ip: string, depth: number) => boolean {
  const [count, ...more] = trustedProxies
  if (count !== undefined && /^[1-9]$/.test(count) && more.length === 0) return (_ip, depth) => depth <= Number(count)
  const ranges = trustedProxies.map((proxy) => {
    const range = parseCidrRange(proxy)
    if (range !== null) return range
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `trustedProxies: ${JSON.stringify(proxy)} is not an address or a CIDR; a number of proxies, 1 to 9, stands alone.`,
    })
  })
  return (ip) => {
    const key = addressKey(ip)
    return ranges.some(({ low, high }) => low <= key && key <= high)
  }
}

/** X-Forwarded-For, from the right. */
function* commaHops(header: string): Generator<string> {
  for (let end = header.length; end >= 0; ) {
    const comma = end === 0 ? -1 : header.lastIndexOf(',', end - 1)
    yield header.slice(comma + 1, end).trim()
    end = comma
  }
}

/**
 * The `for` of each element of RFC 7239, from the right, so that a quote which a client left open cannot swallow what a
 * proxy appended. Yields an empty text, which is no address, for an element without exactly one `for`.
 */
function* forwardedHops(header: string): Generator<string> {
  let quoted = false
  let end = header.length
  for (let at = header.length - 1; at >= -1; at--) {
    const character = at === -1 ? ',' : header[at]
    if (character === '"') quoted = !quoted
    if (character !== ',' || (quoted && at !== -1)) continue
    yield quoted ? '' : forOf(header.slice(at + 1, end))
    end = at
  }
}

function forOf(element: string): string {
  const values = element.split(';').flatMap((pair) => {
    const match = /^\s*for\s*=\s*(?:"([^"\\]*)"|([^"\\\s]*))\s*$/i.exec(pair)
    return match === null ? [] : [match[1] ?? match[2] ?? '']
  })
  return values.length === 1 ? (values[0] as string) : ''
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; null for `unknown`, `_name` and the rest. */
function parseHop(text: string): string | null {
  const bracketed = /^\[([0-9A-Fa-f:.]{2,45})\](?::[\w.-]{1,16})?$/.exec(text)
  if (bracketed !== null) return bracketed[1]?.includes(':') ? normalizeAddress(bracketed[1]) : null
  const dotted = /^(\d{1,3}(?:\.\d{1,3}){3})(?::[\w.-]{1,16})?$/.exec(text)
  return normalizeAddress(dotted?.[1] ?? text)
}
