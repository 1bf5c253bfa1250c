import type { Checkpoint } from '../proof/checkpoint.ts'
import type { NoteSignature } from '../proof/note.ts'

/** A checkpoint that may leave the house. */
export interface Published {
  /** The signed note, with the signatures of witnesses that have come so far. */
  readonly note: string
  /** What it says. */
  readonly checkpoint: Checkpoint
  /** The proof (RFC 6962 §2.1.2) that this tree begins with its first `oldSize` leaves. */
  proveConsistency(oldSize: number): Promise<readonly Uint8Array[]>
}

/** What an anchor has answered. */
export interface Anchored {
  /** Of a witness: signatures of this checkpoint that were verified. */
  readonly cosignatures?: readonly NoteSignature[]
}

/**
 * A place that keeps checkpoints where whoever can change the database cannot change them.
 *
 * `put` is called for one checkpoint at a time, and again with the same one after a failure or a restart: what is there
 * already MUST count as done. It MUST NOT resolve before the checkpoint is kept, and MUST settle soon after `signal` is
 * aborted, because nothing else is put until then. It MUST throw {@link AnchorForkError} when the place has a checkpoint that
 * this one does not continue; every other failure is tried again.
 */
export interface Anchor {
  /** At most 64 visible ASCII characters, no secret, and the same after a restart: progress is remembered under it. */
  readonly name: string
  /** Whether it answers with signatures. Such an anchor is asked before the others. */
  readonly cosigns?: boolean
  put(published: Published, signal: AbortSignal): Promise<Anchored>
}

/** A checkpoint was not kept. The message is for the operator and is stored: it MUST NOT have a secret in it. */
export class AnchorError extends Error {
  override readonly name: string = 'AnchorError'
}

/** An anchor has another history of this log: it was rolled back or rewritten, or somebody else signs with its key. */
export class AnchorForkError extends AnchorError {
  override readonly name = 'AnchorForkError'
}

/** Replaces `{origin}` and `{size}` in what an operator has written. */
export function fillPlaces(text: string, { origin, size }: Checkpoint, encode: (value: string) => string): string {
  return text.replace(/\{(origin|size)\}/g, (_place, name) => encode(name === 'size' ? String(size) : origin))
}
