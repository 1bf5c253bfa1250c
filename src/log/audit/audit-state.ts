import type { AuditFinding, AuditPhase } from '../../api.ts'
import { encodeFrontier, type Frontier } from '../../proof/tree.ts'
import { encodeBase64 } from '../../util/base64.ts'

/** Of an audit that can be resumed; rows are compared from the beginning. */
export type StoredPhase = Exclude<AuditPhase, 'rows'>
export const PHASES: readonly StoredPhase[] = ['entries', 'ids', 'queue']

/** Checkpoints of one source and epoch that do not fit, until it is known whether a restored backup explains them. */
export interface Misfits {
  readonly kind: 'root-differs' | 'log-truncated'
  readonly epoch: number
  readonly source: string
  smallest: number
  largest: number
  count: number
}

/** The hashes of a tile that the walk has given so far. */
export interface GrowingTile {
  readonly place: number
  /** Of the tile, the slot of the first one: not 0 where the walk has begun in its middle. */
  readonly first: number
  /** Base64. */
  readonly hashes: string[]
}

/** Of how many entries behind the `erasure`-th entry and before the next erasure an opening is missing. */
export type MissingBySpan = Record<string, number>

/** Where an audit has come to: all that it needs to go on, as JSON. Its size does not grow with that of the log. */
export interface AuditState {
  readonly version: 1
  /** Digest of what it was given. */
  readonly inputs: string
  /** What there was when it began. */
  readonly size: number
  /** The first entry that was there. */
  readonly pruned: number
  /** What the database says it is: more while what was pruned is still being deleted. */
  readonly announced: number
  /** Up to here, the database had the checkpoint, and so the tiles. */
  readonly recorded: number
  /** Up to here, a checkpoint with a right signature vouches for the entries. */
  readonly covered: number
  /** Newest size of each epoch. */
  readonly epochs: readonly (readonly [epoch: number, size: number])[]
  readonly guard: string | null

  phase: StoredPhase
  next: number
  /** As far as there is a tree, its size and, base64, its frontier. */
  treeSize: number
  frontier: string
  tiles: (GrowingTile | null)[]
  /** In the phase `ids`, the last event id; in `queue`, the last number. */
  after: string
  /** The root at the end of the walk, base64. */
  root: string

  events: number
  checkpoints: number
  anchored: number
  /** The largest size at which a checkpoint fits. */
  fits: number
  /** The first entry that is missing: behind it there is no tree. */
  broken: number | null
  misfits: Misfits[]
  missing: { readonly id: MissingBySpan; readonly net: MissingBySpan }
  /** The first of those, by class, to be named when nothing explains them. */
  missed: { readonly id: (readonly [number, string])[]; readonly net: (readonly [number, string])[] }
  counts: Record<string, number>
  findings: number
  /** The first findings, for the result of an audit that was resumed. */
  kept: AuditFinding[]
  milliseconds: number
}

export const KEPT_FINDINGS = 1000
export const NAMED_OPENINGS = 20

export type NewAuditState = Pick<
  AuditState,
  'inputs' | 'size' | 'pruned' | 'announced' | 'recorded' | 'covered' | 'epochs' | 'guard'
>

export function createAuditState(begin: NewAuditState, frontier: Frontier): AuditState {
  return {
    version: 1,
    ...begin,
    phase: 'entries',
    next: begin.pruned,
    treeSize: frontier.size,
    frontier: encodeBase64(encodeFrontier(frontier)),
    tiles: [],
    after: '',
    root: '',
    events: 0,
    checkpoints: 0,
    anchored: 0,
    fits: 0,
    broken: null,
    misfits: [],
    missing: { id: {}, net: {} },
    missed: { id: [], net: [] },
    counts: {},
    findings: 0,
    kept: [],
    milliseconds: 0,
  }
}
