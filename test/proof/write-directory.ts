import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  computeLeafHash,
  createTileRows,
  createTreeBuilder,
  encodeBundle,
  formatBundlePath,
  formatCheckpoint,
  formatTilePath,
  formatVerifierKey,
  listBundles,
  type SigningKey,
  signNote,
} from '../../src/proof/index.ts'

export interface WrittenDirectory {
  readonly folder: string
  readonly key: SigningKey
  readonly entry: (index: number) => Uint8Array
  /** Of the log as it is now. */
  readonly size: number
  /** Of the older checkpoints that are kept beside it, ascending. */
  readonly older?: readonly number[]
  /** Of the epochs before the one of `key`, oldest first: theirs, and the sizes of their checkpoints that are kept. */
  readonly earlier?: readonly { readonly key: SigningKey; readonly sizes: readonly number[] }[]
}

/** The exported directory of spec/checkpoint.md. It holds one bundle and one tile of each level in memory. */
export function writeDirectory({ folder, key, entry, size, older = [], earlier = [] }: WrittenDirectory): void {
  const write = (path: string, content: Uint8Array | string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
  const builder = createTreeBuilder()
  const rows = createTileRows()
  const sign = (by: SigningKey): string =>
    signNote(formatCheckpoint({ origin: by.name, size: builder.size(), rootHash: builder.root() }), by)
  const writeOlder = (): void => {
    const at = builder.size()
    if (older.includes(at)) write(`checkpoints/${at}`, sign(key))
    for (const [before, { key: by, sizes }] of earlier.entries()) {
      if (sizes.includes(at)) write(`earlier/e${before + 1}/${at}`, sign(by))
    }
  }
  writeOlder()
  for (const place of listBundles(size)) {
    const entries = Array.from({ length: place.width }, (_, at) => entry(place.index * 256 + at))
    write(formatBundlePath(place), encodeBundle(entries))
    for (const leaf of entries) {
      const full = rows.append(builder.append([computeLeafHash(leaf)]))
      for (const { tile, bytes } of full) write(formatTilePath(tile), bytes)
      writeOlder()
    }
  }
  for (const { tile, bytes } of rows.partial()) write(formatTilePath(tile), bytes)
  write('checkpoint', sign(key))
  const keys = [...earlier.map(({ key: by }) => by), key]
  write('vkey', keys.map(({ verifierKey }) => `${formatVerifierKey(verifierKey)}\n`).join(''))
}
