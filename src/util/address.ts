import ipaddr from 'ipaddr.js'

/** The longest text that is looked at: an IPv6 address with a zone, or with a prefix length. */
const MAX_LENGTH = 64

/**
 * The canonical text of an address: IPv4 in four decimal parts, IPv6 as RFC 5952 writes it, IPv4-mapped IPv6 as IPv4, so
 * that one client has one spelling. A zone (`%eth0`) is dropped, since it names an interface of this machine.
 * Null for anything else; also for `010.1`, `0x7f.1` and the like, which programs read differently.
 */
export function normalizeAddress(text: string): string | null {
  const bytes = parseAddress(text)
  return bytes === null ? null : formatAddress(bytes)
}

/** 32 hex digits of the 16-byte form (IPv4 as `::ffff:a.b.c.d`): sorts as the addresses do. The address must be valid. */
export function addressKey(ip: string): string {
  const bytes = parseAddress(ip)
  if (bytes === null) throw new TypeError('not an IP address')
  return formatHex(bytes)
}

/** The address of such a key; of one half of it, the network of IPv6 addresses that begin with it. */
export function addressOfKey(key: string): string {
  const bytes = Array.from({ length: 16 }, (_, at) => Number.parseInt(key.slice(2 * at, 2 * at + 2) || '0', 16))
  return key.length === 32 ? formatAddress(bytes) : `${formatAddress(bytes)}/${key.length * 4}`
}

/** The first and the last key that begin so. */
export function keysUnder(key: string): { readonly low: string; readonly high: string } {
  return { low: key.padEnd(32, '0'), high: key.padEnd(32, 'f') }
}

/** What counts as one client: an IPv4 address by itself, for IPv6 its /64. Other text is returned as it is. */
export function addressPrefix(ip: string): string {
  const bytes = parseAddress(ip)
  if (bytes === null) return ip
  const text = formatAddress(bytes)
  return text.includes(':') ? `${formatAddress(bytes.fill(0, 8))}/64` : text
}

const PUBLIC_RANGE = 'unicast'

/** Loopback, link-local, private (RFC 1918, RFC 4193), carrier-grade NAT and the like; false for what is no address. */
export function isPrivateAddress(ip: string): boolean {
  const bytes = parseAddress(ip)
  return bytes !== null && ipaddr.process(formatAddress(bytes)).range() !== PUBLIC_RANGE
}

/**
 * First and last key of an address or a CIDR, in the form of {@link addressKey}; null for anything else. Bits behind the
 * prefix are ignored. `::/0` holds every address, `0.0.0.0/0` every IPv4 address.
 */
export function parseCidrRange(text: string): { readonly low: string; readonly high: string } | null {
  const [address = '', prefix, ...more] = text.length > MAX_LENGTH ? [] : text.split('/')
  const bytes = address.includes('%') ? null : parseAddress(address)
  const width = address.includes(':') ? 128 : 32
  const length = prefix === undefined ? width : /^(?:0|[1-9]\d{0,2})$/.test(prefix) ? Number(prefix) : Infinity
  if (bytes === null || length > width || more.length > 0) return null
  const bits = length + 128 - width
  const low = bytes.map((byte, at) => byte & maskOf(bits, at))
  const high = bytes.map((byte, at) => byte | (~maskOf(bits, at) & 255))
  return { low: formatHex(low), high: formatHex(high) }
}

function maskOf(bits: number, at: number): number {
  const ones = Math.min(8, Math.max(0, bits - at * 8))
  return (0xff00 >> ones) & 255
}

/** The 16-byte form. */
function parseAddress(text: string): number[] | null {
  if (text.length > MAX_LENGTH) return null
  if (!text.includes(':')) return parseIpv4(text)?.toIPv4MappedAddress().toByteArray() ?? null
  const address = spellInHex(/^([0-9A-Fa-f:.]+)(?:%[0-9A-Za-z._~-]+)?$/.exec(text)?.[1] ?? '')
  return address !== null && ipaddr.IPv6.isValid(address) ? ipaddr.IPv6.parse(address).toByteArray() : null
}

/** The library by itself also reads octal, hexadecimal and shortened forms. */
function parseIpv4(text: string): ipaddr.IPv4 | null {
  const strict = /^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)
  return strict && ipaddr.IPv4.isValid(text) ? ipaddr.IPv4.parse(text) : null
}

/** `::1.2.3.4` as `::102:304`: the library takes every address with a dotted end for an IPv4-mapped one. */
function spellInHex(address: string): string | null {
  if (!address.includes('.')) return address
  const from = address.lastIndexOf(':') + 1
  const octets = parseIpv4(address.slice(from))?.octets
  if (octets === undefined) return null
  const [a = 0, b = 0, c = 0, d = 0] = octets
  return `${address.slice(0, from)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

function formatAddress(bytes: number[]): string {
  const address = ipaddr.fromByteArray(bytes) as ipaddr.IPv6
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String()
}

function formatHex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
