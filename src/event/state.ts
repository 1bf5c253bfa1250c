import { type CommittedFields, computeSaltedDigest } from './commitment.ts'

/**
 * What of a row somebody would profit from changing. Its digest stands in the leaf of the event that came with the row, so that a
 * row that was forged in the database can be told; `spec/entry.md` is normative and has the fields of each kind.
 */
export const STATE_KINDS = ['session', 'rotation', 'credential', 'client', 'key'] as const
export type StateKind = (typeof STATE_KINDS)[number]

/** Rows in clear, by kind. */
export type RowStates = Readonly<Partial<Record<StateKind, CommittedFields>>>

/**
 * SHA-256("gatebook-state/v1\n" ‖ kind ‖ "\n" ‖ salt ‖ canonical fields), base64url. `salt` is the one of the class `id`: a row tells whose
 * it is, and without a salt that goes with the subject anybody could confirm a guess.
 */
export function computeStateDigest(kind: StateKind, salt: Uint8Array, fields: CommittedFields): string {
  return computeSaltedDigest('gatebook-state/v1', kind, salt, fields)
}
