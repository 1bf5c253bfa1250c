import type { Published } from '../../src/log/anchor.ts'
import {
  computeConsistencyProof,
  computeLeafHash,
  createHashReader,
  formatCheckpoint,
  generateLogKey,
  parseCheckpoint,
  parseNote,
  parseSigningKey,
  readRoot,
  signNote,
  type VerifierKey,
} from '../../src/proof/index.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'

export interface MemoryLog {
  readonly origin: string
  readonly key: VerifierKey
  readonly leafHashes: Uint8Array[]
  append(count: number, what?: string): void
  /** Forgets all leaves but so many: a backup that was brought back. */
  rollBack(size: number): void
  checkpoint(size?: number): Promise<Published>
}

/** A log without a database that signs what it is asked to, true or not. */
export function createMemoryLog(origin = 'log.example/test'): MemoryLog {
  const signer = parseSigningKey(generateLogKey(origin).signingKey)
  const leafHashes: Uint8Array[] = []
  return {
    origin,
    key: signer.verifierKey,
    leafHashes,
    append(count, what = 'entry') {
      for (let at = 0; at < count; at++) leafHashes.push(computeLeafHash(encodeUtf8(`${what} ${leafHashes.length}`)))
    },
    rollBack(size) {
      leafHashes.length = size
    },
    async checkpoint(size = leafHashes.length) {
      const rootHash = await readRoot(createHashReader(leafHashes.slice(0, size)), size)
      return publish(signNote(formatCheckpoint({ origin, size, rootHash }), signer), leafHashes)
    },
  }
}

/** A note with proofs out of these leaves, as they are when it is asked for them. */
export function publish(note: string, leafHashes: readonly Uint8Array[]): Published {
  const checkpoint = parseCheckpoint(parseNote(note).text)
  return {
    note,
    checkpoint,
    proveConsistency: (oldSize) => computeConsistencyProof(createHashReader(leafHashes), oldSize, checkpoint.size),
  }
}
