import { createHash, createHmac } from 'node:crypto'

/**
 * `spec/entry.md` read once more, without a line of `src/`: what an auditor would write. The tests compare the two.
 */
export type Fault = 'form' | 'length' | 'member' | 'hash' | 'commitment' | 'mac'

export interface Opening {
  readonly salt: Uint8Array
  readonly fields: Readonly<Record<string, unknown>>
}

export interface StoredEntry {
  readonly eventId: string
  readonly leaf: Uint8Array
  readonly leafHash: Uint8Array
  readonly mac: Uint8Array
  readonly opening: { readonly id: Opening; readonly net: Opening }
}

const MEMBERS: Readonly<Record<string, 'string' | 'integer' | 'object'>> = {
  ...{ v: 'integer', id: 'string', type: 'string', outcome: 'string', reason: 'string', at: 'integer' },
  ...{ actor: 'string', session: 'string', token: 'string', method: 'string', request: 'string', trace: 'string' },
  ...{ data: 'object', commit: 'object' },
}
const REQUIRED = ['v', 'id', 'type', 'outcome', 'at', 'actor', 'commit']

/** The first thing that is wrong with an entry, or null. */
export function findFault(entry: StoredEntry, writerKey: Uint8Array): Fault | null {
  const { leaf, leafHash, opening } = entry
  if (leaf.length > 8192) return 'length'
  const content = parseCanonical(leaf)
  if (content === null) return 'form'
  if (!hasMembers(content)) return 'member'
  if (!createHash('sha256').update(Uint8Array.of(0)).update(leaf).digest().equals(leafHash)) return 'hash'
  for (const kind of ['id', 'net'] as const) {
    const { salt, fields } = opening[kind]
    const commitment = createHash('sha256')
      .update(`gatebook-commit/v1\n${kind}\n`)
      .update(salt)
      .update(canonical(fields) ?? '')
      .digest('base64url')
    if (salt.length !== 32 || (content.commit as Record<string, unknown>)[kind] !== commitment) return 'commitment'
  }
  const mac = createHmac('sha256', writerKey).update(`gatebook-writer/v1\n${entry.eventId}\n`).update(leafHash).digest()
  return mac.equals(entry.mac) && content.id === entry.eventId ? null : 'mac'
}

/** The content of a leaf, or null where the bytes are not exactly what the form gives for it. */
export function parseCanonical(leaf: Uint8Array): Record<string, unknown> | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(leaf)
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && canonical(value) === text ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function canonical(value: unknown): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? JSON.stringify(value) : null
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? String(value) : null
  if (typeof value !== 'object' || value === null) return null
  const parts = Array.isArray(value)
    ? value.map(canonical)
    : Object.keys(value)
        .sort()
        .map((name) => {
          const text = canonical((value as Record<string, unknown>)[name])
          return text === null || !/^[a-z0-9_.-]{1,64}$/.test(name) ? null : `"${name}":${text}`
        })
  if (parts.includes(null)) return null
  return Array.isArray(value) ? `[${parts.join()}]` : `{${parts.join()}}`
}

function hasMembers(content: Record<string, unknown>): boolean {
  const kindOf = (value: unknown) => (typeof value === 'number' ? 'integer' : typeof value)
  const known = Object.entries(content).every(([name, value]) => MEMBERS[name] === kindOf(value))
  const commit = content.commit as Record<string, unknown> | undefined
  return (
    known &&
    REQUIRED.every((name) => name in content) &&
    content.v === 1 &&
    Object.keys(commit ?? {}).join() === 'id,net' &&
    Object.values(commit ?? {}).every((value) => typeof value === 'string')
  )
}
