/** What is needed to check a log, and nothing else: it runs in a browser, does no I/O and knows nothing of databases. */
export { decodeBundle, encodeBundle } from './bundle.ts'
export {
  type Checkpoint,
  formatCheckpoint,
  type LogPolicy,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
} from './checkpoint.ts'
export { computeConsistencyProof, type TreeHead, verifyConsistency } from './consistency.ts'
export { computeLeafHash, computeNodeHash, EMPTY_ROOT, HASH_BYTES } from './hash.ts'
export { createHashReader, type HashReader, readFrontier, readRoot } from './hash-reader.ts'
export { computeInclusionProof, type Inclusion, verifyInclusion } from './inclusion.ts'
export {
  formatNote,
  type Note,
  type NoteSignature,
  type OpenedNote,
  openNote,
  parseNote,
  parseSignatures,
  signNote,
  type VerifiedSignature,
  verifySignature,
} from './note.ts'
export {
  createVerifierKey,
  formatVerifierKey,
  type GeneratedLogKey,
  generateLogKey,
  type NoteKeyType,
  parseSigningKey,
  parseVerifierKey,
  renameSigningKey,
  type SigningKey,
  type VerifierKey,
} from './note-key.ts'
export { PROOF_ERRORS, ProofError, type ProofErrorCode } from './proof-error.ts'
export { formatReceipt, parseReceipt, type Receipt, verifyReceipt } from './receipt.ts'
export {
  type BundlePlace,
  decodeTile,
  encodeTile,
  formatBundlePath,
  formatTilePath,
  listBundles,
  listTiles,
  parseBundlePath,
  parseTilePath,
  TILE_WIDTH,
  type Tile,
  tileWidth,
} from './tile.ts'
export { createTileRows, type TileContent, type TileRows, verifyTile } from './tile-rows.ts'
export {
  computeRoot,
  createTreeBuilder,
  decodeFrontier,
  EMPTY_FRONTIER,
  encodeFrontier,
  extendFrontier,
  type Frontier,
  type TileHash,
  type TreeBuilder,
} from './tree.ts'
export { type CheckedHead, createLogWalk, type LogWalk } from './verify.ts'
