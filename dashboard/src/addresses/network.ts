import { addressPrefix, normalizeAddress, parseCidrRange } from '../../../src/util/address.ts'

/** The network that an address is in, as wide as one place mostly has it: a /24, or a /64. Null for what is none, or a network. */
export function networkOf(ip: string): string | null {
  const address = normalizeAddress(ip)
  if (address === null) return null
  if (address.includes(':')) return addressPrefix(address)
  return `${address.slice(0, address.lastIndexOf('.'))}.0/24`
}

export function isAddressOrNetwork(text: string): boolean {
  return parseCidrRange(text) !== null
}
