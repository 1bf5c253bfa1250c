import { createHash, createHmac } from 'node:crypto'

/**
 * `spec/entry.md` read once more, without a line of `src/`: what an auditor would write. The tests compare the two.
 */
export type Fault = 'form' | 'length' | 'member' | 'hash' | 'commitment' | 'state' | 'mac'

export interface Opening {
  readonly salt: Uint8Array
  readonly fields: Readonly<Record<string, unknown>>
}

export interface StoredEntry {
  readonly eventId: string
  readonly leaf: Uint8Array
  readonly leafHash: Uint8Array
  readonly mac: Uint8Array
  readonly opening: {
    readonly id: Opening
    readonly net: Opening
    /** Fields of rows by kind, as far as somebody still has them. */
    readonly state?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
}

const MEMBERS: Readonly<Record<string, 'string' | 'integer' | 'object'>> = {
  ...{ v: 'integer', id: 'string', type: 'string', outcome: 'string', reason: 'string', at: 'integer' },
  ...{ actor: 'string', session: 'string', token: 'string', method: 'string', request: 'string', trace: 'string' },
  ...{ data: 'object', state: 'object', commit: 'object' },
}
const KINDS = ['session', 'rotation', 'credential', 'client', 'key']
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
    const commitment = digestOf('gatebook-commit/v1', kind, salt, fields)
    if (salt.length !== 32 || (content.commit as Record<string, unknown>)[kind] !== commitment) return 'commitment'
  }
  for (const [kind, fields] of Object.entries(opening.state ?? {})) {
    const digest = digestOf('gatebook-state/v1', kind, opening.id.salt, fields)
    if ((content.state as Record<string, unknown> | undefined)?.[kind] !== digest) return 'state'
  }
  const mac = createHmac('sha256', writerKey).update(`gatebook-writer/v1\n${entry.eventId}\n`).update(leafHash).digest()
  return mac.equals(entry.mac) && content.id === entry.eventId ? null : 'mac'
}

function digestOf(domain: string, name: string, salt: Uint8Array, fields: Opening['fields']): string {
  const form = canonical(fields) ?? ''
  return createHash('sha256').update(`${domain}\n${name}\n`).update(salt).update(form).digest('base64url')
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
  return (
    known &&
    REQUIRED.every((name) => name in content) &&
    content.v === 1 &&
    namesOf(content.commit).join() === 'id,net' &&
    [content.commit, content.state].every((value) => value === undefined || holdsDigests(value)) &&
    namesOf(content.state).every((kind) => KINDS.includes(kind)) &&
    (content.data === undefined || isFlat(content.data))
  )
}

function namesOf(value: unknown): string[] {
  return Object.keys((value as object | undefined) ?? {})
}

function holdsDigests(value: unknown): boolean {
  const digests = Object.values(value as object)
  const isDigest = (text: unknown) =>
    typeof text === 'string' && text.length === 43 && Buffer.from(text, 'base64url').toString('base64url') === text
  return !Array.isArray(value) && digests.length > 0 && digests.every(isDigest)
}

function isFlat(data: unknown): boolean {
  const values = Object.values(data as object)
  const isText = (value: unknown) => typeof value === 'string'
  const isItem = (value: unknown) => (Array.isArray(value) ? value.every(isText) : typeof value !== 'object')
  return !Array.isArray(data) && values.length > 0 && values.every(isItem)
}
