import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  computeLeafHash,
  computeNodeHash,
  computeRoot,
  createHashReader,
  createTileRows,
  createTreeBuilder,
  decodeFrontier,
  decodeTile,
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  encodeFrontier,
  extendFrontier,
  type Frontier,
  formatTilePath,
  listTiles,
  ProofError,
  readFrontier,
  readRoot,
  type TileContent,
  verifyTile,
} from '../../src/proof/index.ts'
import { leafHash, makeLeaves, treeHash } from './naive-tree.ts'
import { expectRefused } from './refused.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const leaves = makeLeaves(300)
const hashes = leaves.map(computeLeafHash)

describe('hashes', () => {
  test('are those of RFC 6962, also of leaves beyond any that a bundle holds', () => {
    // Of transparency-dev/merkle, rfc6962/rfc6962_test.go.
    expect(hex(EMPTY_ROOT)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(hex(computeLeafHash(new Uint8Array(0)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    )
    for (const length of [1, 8192, 8193, 65_534, 65_535, 65_536, 100_000]) {
      const leaf = new Uint8Array(length).fill(length % 251)
      expect(hex(computeLeafHash(leaf))).toBe(hex(leafHash(leaf)))
    }
  })

  test('are no views of one another', () => {
    const [first, second] = [computeLeafHash(leaves[0]!), computeLeafHash(leaves[1]!)]
    const before = hex(first)
    second.fill(0)
    computeNodeHash(first, second).fill(1)
    expect(hex(first)).toBe(before)
    expect(first.constructor).toBe(Uint8Array)
  })

  test('of nodes are made of hashes only', () => {
    expectRefused(() => computeNodeHash(hashes[0]!, hashes[0]!.slice(1)), 'ERR_PROOF_HASH')
    expectRefused(() => computeNodeHash(new Uint8Array(33), hashes[0]!), 'ERR_PROOF_HASH')
    expectRefused(() => extendFrontier(EMPTY_FRONTIER, [new Uint8Array(31)]), 'ERR_PROOF_HASH')
  })
})

describe('a frontier', () => {
  test('gives the root of every size, whichever way it is reached', () => {
    const byOne = createTreeBuilder()
    for (let size = 0; size <= hashes.length; size++) {
      const wanted = hex(treeHash(hashes.slice(0, size)))
      expect(hex(byOne.root())).toBe(wanted)
      expect(hex(computeRoot(extendFrontier(EMPTY_FRONTIER, hashes.slice(0, size))))).toBe(wanted)
      if (size < hashes.length) byOne.append([hashes[size]!])
    }
  })

  test('is stored and read again at any size, and goes on from there', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (a, b) => {
        const [first, second] = [Math.min(a, b), Math.max(a, b)]
        const frontier = extendFrontier(EMPTY_FRONTIER, hashes.slice(0, first))
        const bytes = encodeFrontier(frontier)
        const again = decodeFrontier(first, bytes)
        bytes.fill(0)
        expect(again).toEqual(frontier)
        const whole = extendFrontier(again, hashes.slice(first, second))
        expect(hex(computeRoot(whole))).toBe(hex(treeHash(hashes.slice(0, second))))
        expect(computeRoot(frontier)).toEqual(treeHash(hashes.slice(0, first)))
      }),
    )
  })

  test('begins with the largest subtree', () => {
    const frontier = extendFrontier(EMPTY_FRONTIER, hashes.slice(0, 7))
    const parts = [treeHash(hashes.slice(0, 4)), treeHash(hashes.slice(4, 6)), hashes[6]!]
    expect(hex(encodeFrontier(frontier))).toBe(parts.map(hex).join(''))
  })

  test.each([
    [0, 32],
    [1, 0],
    [1, 31],
    [1, 64],
    [2, 64],
    [3, 32],
    [2 ** 32, 0],
    [2 ** 32 + 1, 32],
  ])('of size %d is not %d bytes long', (size, length) => {
    expectRefused(() => decodeFrontier(size, new Uint8Array(length)), 'ERR_FRONTIER_MALFORMED')
  })

  test.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('has no size %d', (size) => {
    expectRefused(() => decodeFrontier(size, new Uint8Array(0)), 'ERR_PROOF_SIZE')
  })

  test('that was made by hand is looked at before it is used', () => {
    const wrong: Frontier = { size: 3, hashes: [hashes[0]!] }
    for (const use of [computeRoot, encodeFrontier, createTreeBuilder, (f: Frontier) => extendFrontier(f, [])]) {
      expectRefused(() => use(wrong), 'ERR_FRONTIER_MALFORMED')
      expectRefused(() => use({ size: 1, hashes: [new Uint8Array(3)] }), 'ERR_PROOF_HASH')
    }
  })

  test('works beyond 32 bits, up to the last size that a number holds', () => {
    // A tree of 2^n equal subtrees of which only the hashes are known.
    for (const power of [31, 32, 33, 40, 52]) {
      const size = 2 ** power - 1
      const parts = Array.from({ length: power }, (_, at) => leafHash(Uint8Array.of(at)))
      const full = extendFrontier({ size, hashes: parts }, [hashes[0]!])
      expect(full.size).toBe(2 ** power)
      expect(full.hashes).toHaveLength(1)
      expect(computeRoot(full)).toEqual(parts.reduceRight((right, left) => computeNodeHash(left, right), hashes[0]!))
      const more = extendFrontier(full, [hashes[1]!])
      expect(more.hashes).toHaveLength(2)
      expect(decodeFrontier(more.size, encodeFrontier(more))).toEqual(more)
    }
    const last = { size: 2 ** 53 - 2, hashes: Array.from({ length: 52 }, () => hashes[0]!) }
    const { size } = extendFrontier(last, [hashes[0]!])
    expect(size).toBe(Number.MAX_SAFE_INTEGER)
    expectRefused(() => extendFrontier(last, [hashes[0]!, hashes[1]!]), 'ERR_PROOF_SIZE')
  })
})

describe('a tree builder', () => {
  const count = 70_000
  const many = Array.from({ length: count }, (_, at) => computeLeafHash(new TextEncoder().encode(`leaf ${at}`)))

  test('finds the hashes of all tiles, in whatever batches and from whatever size it appends', () => {
    const whole = createTreeBuilder().append(many)
    const inBatches = []
    let frontier = EMPTY_FRONTIER
    for (let at = 0; at < count; ) {
      const batch = many.slice(at, at + 1 + ((at * 7) % 1999))
      const builder = createTreeBuilder(frontier)
      inBatches.push(...builder.append(batch))
      frontier = builder.frontier()
      at += batch.length
    }
    expect(inBatches.length).toBe(whole.length)
    expect(
      inBatches.every(({ level, index, hash }, at) => {
        const other = whole[at]!
        return level === other.level && index === other.index && hex(hash) === hex(other.hash)
      }),
    ).toBe(true)
    expect(whole.filter(({ level }) => level === 1)).toHaveLength(273)
    expect(whole.filter(({ level }) => level === 2)).toHaveLength(1)
    for (const index of [0, 1, 272]) {
      const found = whole.find((hash) => hash.level === 1 && hash.index === index)!
      expect(hex(found.hash)).toBe(hex(treeHash(many.slice(index * 256, (index + 1) * 256))))
    }
    expect(hex(whole.find(({ level }) => level === 2)!.hash)).toBe(hex(treeHash(many.slice(0, 65_536))))
  })

  test('and its rows are exactly the tiles of a tree of that size', async () => {
    const builder = createTreeBuilder()
    const rows = createTileRows()
    const tiles = new Map<string, Uint8Array>()
    for (let at = 0; at < count; at += 1000) {
      for (const { tile, bytes } of rows.append(builder.append(many.slice(at, at + 1000)))) {
        tiles.set(formatTilePath(tile), bytes)
      }
    }
    for (const { tile, bytes } of rows.partial()) tiles.set(formatTilePath(tile), bytes)
    expect([...tiles.keys()].sort()).toEqual([...listTiles(count)].map(formatTilePath).sort())
    const reader = createHashReader(many)
    for (const { level, index, width } of [...listTiles(count)].filter(
      ({ level, index }) => level > 0 || index > 270,
    )) {
      const path = formatTilePath({ level, index, width })
      expect(hex(await reader.readTile(level, index, width))).toBe(hex(tiles.get(path)!))
    }
  })

  test('its tree is read back out of tiles: root and frontier at any size', async () => {
    const reader = createHashReader(many)
    for (const size of [0, 1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 69_999, 70_000]) {
      const frontier = extendFrontier(EMPTY_FRONTIER, many.slice(0, size))
      expect(await readFrontier(reader, size)).toEqual(frontier)
      expect(hex(await readRoot(reader, size))).toBe(hex(computeRoot(frontier)))
    }
  })

  test('goes on from a frontier and partial tiles with what a walk from the first leaf gives', () => {
    const tilesAt = (size: number): TileContent[] => {
      const rows = createTileRows()
      return [...rows.append(createTreeBuilder().append(many.slice(0, size))), ...rows.partial()]
    }
    for (const [since, size] of [
      [0, 300],
      [255, 256],
      [256, 257],
      [300, 65_535],
      [65_535, 65_536],
      [65_536, 66_000],
    ] as const) {
      const builder = createTreeBuilder(extendFrontier(EMPTY_FRONTIER, many.slice(0, since)))
      const rows = createTileRows(tilesAt(since).filter(({ tile }) => tile.width < 256))
      const found = [...rows.append(builder.append(many.slice(since, size))), ...rows.partial()]
      const byPath = new Map(tilesAt(size).map(({ tile, bytes }) => [formatTilePath(tile), hex(bytes)]))
      for (const { tile, bytes } of found) expect(hex(bytes)).toBe(byPath.get(formatTilePath(tile)))
      const paths = new Set(found.map(({ tile }) => formatTilePath(tile)))
      expect([...listTiles(size, since)].map(formatTilePath).filter((path) => !paths.has(path))).toEqual([])
    }
    const later = createTreeBuilder(extendFrontier(EMPTY_FRONTIER, many.slice(0, 300))).append(many.slice(300, 301))
    expectRefused(() => createTileRows().append(later), 'ERR_TILE_LENGTH')
    const stale = createTileRows(tilesAt(299).filter(({ tile }) => tile.width < 256))
    expectRefused(() => stale.append(later), 'ERR_TILE_LENGTH')
  })

  test('a tile is compared hash by hash with what follows from the entries', () => {
    const rows = createTileRows()
    const [first] = rows.append(createTreeBuilder().append(many.slice(0, 300)))
    const [partial] = rows.partial()
    expect([first!.tile, partial!.tile]).toEqual([
      { level: 0, index: 0, width: 256 },
      { level: 0, index: 1, width: 44 },
    ])
    for (const content of [first!, partial!]) {
      verifyTile(content.bytes.slice(), content)
      for (let at = 0; at < content.bytes.length; at += 13) {
        const changed = content.bytes.slice()
        changed[at]! ^= 1 << (at % 8)
        expectRefused(() => verifyTile(changed, content), 'ERR_TILE_HASH')
      }
      expectRefused(() => verifyTile(content.bytes.slice(32), content), 'ERR_TILE_LENGTH')
    }
  })

  test('a reader that answers with less is found out', async () => {
    const reader = createHashReader(many.slice(0, 200))
    await expect(readRoot(reader, 300)).rejects.toThrow(ProofError)
    expectRefused(() => decodeTile(new Uint8Array(64), 3), 'ERR_TILE_LENGTH')
  })
})
