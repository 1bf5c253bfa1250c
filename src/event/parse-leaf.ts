import { isId } from '../util/id-kind.ts'
import { type CanonicalValue, formatCanonical } from './canonical.ts'
import type { Outcome } from './catalogue.ts'
import type { CommitmentClass } from './commitment.ts'
import { LEAF_MAX_BYTES, LEAF_VERSION } from './encode.ts'
import { ACTOR_KINDS, type ActorKind, type EventData } from './event.ts'
import { STATE_KINDS, type StateKind } from './state.ts'

/** What the bytes of a leaf say. Members that are not there are null, or empty. */
export interface Leaf {
  readonly id: string
  readonly type: string
  readonly outcome: Outcome
  readonly reason: string | null
  /** Epoch milliseconds. */
  readonly at: number
  readonly actor: ActorKind
  readonly session: string | null
  readonly token: string | null
  readonly method: string | null
  readonly request: string | null
  readonly trace: string | null
  readonly data: EventData | null
  /** Digests of the rows that came with the event, base64url. */
  readonly state: Readonly<Partial<Record<StateKind, string>>>
  /** The two commitments, base64url. */
  readonly commit: Readonly<Record<CommitmentClass, string>>
}

/** `length`: too long. `form`: not the canonical form. `member`: a member is missing, unknown or of another kind. */
export type LeafFault = 'length' | 'form' | 'member'

export class LeafError extends Error {
  readonly fault: LeafFault

  constructor(fault: LeafFault, detail: string) {
    super(`not a leaf: ${detail}`)
    this.name = 'LeafError'
    this.fault = fault
  }
}

/**
 * The exact inverse of the encoder, by `spec/entry.md`: what it takes would be written with the same bytes, so nothing can stand
 * in a leaf that this does not see. Throws LeafError, whose message tells nothing of the content. Types and reasons are not looked
 * up in the catalogue: a log may be older or newer than the program that reads it.
 */
export function parseLeaf(bytes: Uint8Array): Leaf {
  if (bytes.length > LEAF_MAX_BYTES) throw new LeafError('length', `longer than ${LEAF_MAX_BYTES} bytes`)
  const members = parseCanonicalObject(bytes)
  for (const name of Object.keys(members)) if (!MEMBERS.has(name)) throw new LeafError('member', 'an unknown member')
  if (members.v !== LEAF_VERSION) throw new LeafError('member', 'v')
  if (typeof members.at !== 'number') throw new LeafError('member', 'at')
  return {
    id: text(members, 'id', isEventId),
    type: text(members, 'type'),
    outcome: text(members, 'outcome', isOutcome) as Outcome,
    reason: optional(members, 'reason'),
    at: members.at,
    actor: text(members, 'actor', isActorKind) as ActorKind,
    session: optional(members, 'session', isSessionId),
    token: optional(members, 'token', isTokenId),
    method: optional(members, 'method'),
    request: optional(members, 'request'),
    trace: optional(members, 'trace'),
    data: parseData(members.data),
    state: parseDigests('state', members.state, STATE_KINDS),
    commit: parseCommitments(members.commit),
  }
}

const MEMBERS: ReadonlySet<string> = new Set([
  ...['v', 'id', 'type', 'outcome', 'reason', 'at', 'actor', 'session', 'token', 'method', 'request', 'trace'],
  ...['data', 'state', 'commit'],
])
const OUTCOMES: readonly string[] = ['success', 'failure', 'denied'] satisfies Outcome[]

const isEventId = (value: string): boolean => isId('event', value)
const isSessionId = (value: string): boolean => isId('session', value)
const isTokenId = (value: string): boolean => isId('token', value)
const isOutcome = (value: string): boolean => OUTCOMES.includes(value)
const isActorKind = (value: string): boolean => (ACTOR_KINDS as readonly string[]).includes(value)

function text(members: Members, name: string, accepts?: (value: string) => boolean): string {
  const value = members[name]
  if (typeof value !== 'string' || accepts?.(value) === false) throw new LeafError('member', name)
  return value
}

function optional(members: Members, name: string, accepts?: (value: string) => boolean): string | null {
  return members[name] === undefined ? null : text(members, name, accepts)
}

type Members = { readonly [member: string]: CanonicalValue | undefined }

/** `ignoreBOM` keeps the mark in the text, where it is no JSON. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseCanonicalObject(bytes: Uint8Array): Members {
  try {
    const text = decoder.decode(bytes)
    const value = JSON.parse(text) as CanonicalValue
    if (isObject(value) && formatCanonical(value) === text) return value
  } catch {
    // Neither the decoder nor the parser may say what it has met.
  }
  throw new LeafError('form', 'its form is another one')
}

function isObject(value: CanonicalValue | undefined): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Flat, as the catalogue has it: texts, integers, truth values and lists of texts. */
function parseData(value: CanonicalValue | undefined): EventData | null {
  if (value === undefined) return null
  if (!isObject(value)) throw new LeafError('member', 'data')
  const items = Object.values(value)
  const isFlat = items.every((item) =>
    Array.isArray(item) ? item.every((each) => typeof each === 'string') : typeof item !== 'object',
  )
  if (items.length === 0 || !isFlat) throw new LeafError('member', 'data')
  return value as EventData
}

function parseCommitments(value: CanonicalValue | undefined): Leaf['commit'] {
  const { id, net } = parseDigests('commit', value, ['id', 'net'])
  if (id === undefined || net === undefined) throw new LeafError('member', 'commit')
  return { id, net }
}

function parseDigests<Name extends string>(
  member: string,
  value: CanonicalValue | undefined,
  names: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  if (value === undefined) return {} as Readonly<Partial<Record<Name, string>>>
  const entries = isObject(value) ? Object.entries(value) : []
  const isKnown = entries.every(([name, digest]) => names.includes(name as Name) && isDigest(digest))
  if (entries.length === 0 || !isKnown) throw new LeafError('member', member)
  return value as Readonly<Partial<Record<Name, string>>>
}

/** 32 bytes as base64url: the last character has two bits that stand for nothing and are 0. */
const DIGEST = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

function isDigest(value: CanonicalValue | undefined): boolean {
  return typeof value === 'string' && DIGEST.test(value)
}

/** Null for what is no leaf, where it does not matter why. */
export function findLeaf(bytes: Uint8Array): Leaf | null {
  try {
    return parseLeaf(bytes)
  } catch (error) {
    if (error instanceof LeafError) return null
    throw error
  }
}
