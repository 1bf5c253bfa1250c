import { createHmac, timingSafeEqual } from 'node:crypto'
import type { MasterSecret } from './master-secret.ts'

/**
 * MACs on rows that are acted upon later: whoever can write to the database, and has no master secret, cannot have Gatebook do
 * what nobody has asked for. A row that is copied and put back has a right one; whoever acts on it MUST see to that.
 */
export interface RowSeal {
  make(kind: RowKind, values: RowValues): Buffer
  isGenuine(kind: RowKind, values: RowValues, mac: Uint8Array | null): boolean
}

/** What the row is; it stands in the MAC, so that one is never taken for another. */
export type RowKind = 'erasure' | 'hold' | 'retention' | 'one-time-token'
/** All that counts, in an order that never changes. */
export type RowValues = readonly (string | number | null)[]

export function createRowSeal(secret: MasterSecret): RowSeal {
  const compute = (version: number, kind: RowKind, values: RowValues): Buffer =>
    createHmac('sha256', secret.deriveKey('row-seal', version)!)
      .update(`gatebook-row/v1\n${JSON.stringify([kind, ...values])}`, 'utf8')
      .digest()
  return {
    make: (kind, values) => compute(secret.currentVersion, kind, values),
    isGenuine: (kind, values, mac) =>
      mac !== null &&
      secret.versions.some((version) => {
        const expected = compute(version, kind, values)
        return mac.length === expected.length && timingSafeEqual(mac, expected)
      }),
  }
}
