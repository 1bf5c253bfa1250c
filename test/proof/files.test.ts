import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  computeInclusionProof,
  computeLeafHash,
  computeRoot,
  createHashReader,
  createLogWalk,
  decodeBundle,
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  encodeBundle,
  encodeTile,
  extendFrontier,
  formatBundlePath,
  formatCheckpoint,
  formatReceipt,
  formatTilePath,
  generateLogKey,
  listBundles,
  listTiles,
  parseBundlePath,
  parseReceipt,
  parseSigningKey,
  parseTilePath,
  signNote,
  type Tile,
  tileWidth,
  verifyReceipt,
} from '../../src/proof/index.ts'
import { makeLeaves, treeHash } from './naive-tree.ts'
import { codeOf, expectRefused } from './refused.ts'

describe('the path of a tile', () => {
  // Of golang.org/x/mod, sumdb/tlog/tlog_test.go, copyright 2019 The Go Authors, BSD 3-Clause License; there the height of
  // tiles stands in front of the level, here it is always 8.
  test.each<[string, Tile]>([
    ['tile/0/001', { level: 0, index: 1, width: 256 }],
    ['tile/0/001.p/5', { level: 0, index: 1, width: 5 }],
    ['tile/5/x123/x456/078', { level: 5, index: 123_456_078, width: 256 }],
    ['tile/5/x123/x456/078.p/2', { level: 5, index: 123_456_078, width: 2 }],
    ['tile/0/x003/x057/500', { level: 0, index: 3_057_500, width: 256 }],
    // Of C2SP tlog-tiles.
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/63/000.p/255', { level: 63, index: 0, width: 255 }],
    ['tile/0/x009/x007/x199/x254/x740/991', { level: 0, index: Number.MAX_SAFE_INTEGER, width: 256 }],
  ])('%s', (path, tile) => {
    expect(formatTilePath(tile)).toBe(path)
    expect(parseTilePath(path)).toEqual(tile)
    const { level, ...place } = tile
    const bundle = path.replace(`tile/${level}/`, 'tile/entries/')
    expect(formatBundlePath(place)).toBe(bundle)
    expect(parseBundlePath(bundle)).toEqual(place)
  })

  test.each([
    'tile/5/123/456/078',
    'tile/-1/123/456/078',
    'tile/data/x003/x057/500',
    'tile/64/000',
    'tile/00/000',
    'tile/01/000',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/x001/x002',
    'tile/0/001/002',
    'tile/0/x1/002',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/257',
    'tile/0/000.p/05',
    'tile/0/000.p/',
    'tile/0/000.p',
    'tile/0/000.p/5/',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/000\n',
    'tile/0/../000',
    'tile/0/٠٠٠',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
    '',
  ])('is not %j', (path) => {
    expectRefused(() => parseTilePath(path), 'ERR_TILE_PATH')
    expectRefused(() => parseBundlePath(path.replace('tile/0/', 'tile/entries/')), 'ERR_TILE_PATH')
  })

  test('is the only one of its tile', () => {
    const tiles = fc.record({
      level: fc.nat(63),
      index: fc.oneof(fc.nat(2000), fc.nat(Number.MAX_SAFE_INTEGER)),
      width: fc.integer({ min: 1, max: 256 }),
    })
    fc.assert(
      fc.property(tiles, fc.nat(60), fc.constantFrom('0', '1', 'x', '/', '.', 'p', ''), (tile, at, other) => {
        const path = formatTilePath(tile)
        expect(parseTilePath(path)).toEqual(tile)
        const changed = path.slice(0, at) + other + path.slice(at + 1)
        if (codeOf(() => parseTilePath(changed)) === null) expect(formatTilePath(parseTilePath(changed))).toBe(changed)
      }),
      { numRuns: 2000 },
    )
    for (const wrong of [{ level: 64 }, { level: -1 }, { level: 0.5 }, { width: 0 }, { width: 257 }, { width: 1.5 }]) {
      expectRefused(() => formatTilePath({ level: 0, index: 0, width: 1, ...wrong }), 'ERR_TILE_PATH')
    }
    expectRefused(() => formatTilePath({ level: 0, index: -1, width: 1 }), 'ERR_PROOF_SIZE')
  })
})

describe('the tiles of a tree', () => {
  test('of 70,000 leaves are those of the example of C2SP tlog-tiles', () => {
    const tiles = [...listTiles(70_000)]
    const count = (level: number, full: boolean): number =>
      tiles.filter((tile) => tile.level === level && (tile.width === 256) === full).length
    expect([count(0, true), count(0, false), count(1, true), count(1, false), count(2, false)]).toEqual([
      273, 1, 1, 1, 1,
    ])
    expect(tiles.filter(({ width }) => width < 256).map(({ width }) => width)).toEqual([112, 17, 1])
    expect([...listTiles(256)]).toEqual([
      { level: 0, index: 0, width: 256 },
      { level: 1, index: 0, width: 1 },
    ])
    expect([...listTiles(0)]).toEqual([])
  })

  test('that come with growth, and those that were there, are all of them', () => {
    const sizes = fc.oneof(fc.nat(1000), fc.constantFrom(65_535, 65_536, 65_537, 70_000))
    fc.assert(
      fc.property(sizes, sizes, (a, b) => {
        const [since, size] = [Math.min(a, b), Math.max(a, b)]
        const paths = (list: Iterable<Tile>): string[] => [...list].map(formatTilePath)
        const older = new Set(paths(listTiles(since)))
        expect(paths(listTiles(size, since))).toEqual(paths(listTiles(size)).filter((path) => !older.has(path)))
        const bundles = [...listBundles(size, since)].map((place) => ({ level: 0, ...place }))
        expect(bundles).toEqual([...listTiles(size, since)].filter(({ level }) => level === 0))
        for (const { level, index, width } of listTiles(size)) expect(tileWidth(level, index, size)).toBe(width)
      }),
    )
  })

  test('beyond 32 bits are counted right', () => {
    const size = 2 ** 40 + 1
    const [first] = [...listTiles(size, 2 ** 40)]
    expect(first).toEqual({ level: 0, index: 2 ** 32, width: 1 })
    expect(tileWidth(4, 0, 2 ** 40)).toBe(256)
    expect(tileWidth(5, 0, 2 ** 40)).toBe(1)
    expect(tileWidth(5, 1, 2 ** 40)).toBe(0)
    expectRefused(() => [...listTiles(2 ** 53)], 'ERR_PROOF_SIZE')
  })

  test('hold hashes', () => {
    expectRefused(() => encodeTile([new Uint8Array(31)]), 'ERR_PROOF_HASH')
  })
})

describe('an entry bundle', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })

  test('is read as the exact inverse of how it is written', () => {
    fc.assert(
      fc.property(entries, (wanted) => {
        expect(decodeBundle(encodeBundle(wanted), wanted.length)).toEqual(wanted)
      }),
    )
    const large = [new Uint8Array(65_535).fill(3), new Uint8Array(0), new Uint8Array(256)]
    expect(decodeBundle(encodeBundle(large), 3)).toEqual(large)
    expectRefused(() => encodeBundle([new Uint8Array(65_536)]), 'ERR_ENTRY_TOO_LONG')
  })

  test('is refused when it is cut off anywhere, or has something behind its end', () => {
    const leaves = makeLeaves(3)
    const bytes = encodeBundle(leaves)
    for (let end = 0; end < bytes.length; end++) {
      expectRefused(() => decodeBundle(bytes.slice(0, end), 3), 'ERR_BUNDLE_MALFORMED')
    }
    for (const more of [[0], [0, 0], [0, 5, 1]]) {
      expectRefused(() => decodeBundle(Uint8Array.from([...bytes, ...more]), 3), 'ERR_BUNDLE_MALFORMED')
    }
    for (const width of [0, 2, 4]) expectRefused(() => decodeBundle(bytes, width), 'ERR_BUNDLE_MALFORMED')
  })
})

describe('a receipt', async () => {
  const origin = 'log.example/gate'
  const key = parseSigningKey(generateLogKey(origin).signingKey)
  const policy = { origin, logKeys: [key.verifierKey] }
  const leafHashes = makeLeaves(300).map(computeLeafHash)
  const rootHash = computeRoot(extendFrontier(EMPTY_FRONTIER, leafHashes))
  const checkpoint = signNote(formatCheckpoint({ origin, size: 300, rootHash }), key)
  const proof = await computeInclusionProof(createHashReader(leafHashes), 41, 300)
  const receipt = { index: 41, proof, checkpoint }
  const text = formatReceipt(receipt)

  test('is written, read and verified', () => {
    expect(text.startsWith('c2sp.org/tlog-proof@v1\nindex 41\n')).toBe(true)
    expect(parseReceipt(text)).toEqual(receipt)
    expect(verifyReceipt(parseReceipt(text), leafHashes[41]!, policy).checkpoint).toMatchObject({ size: 300 })
    const withExtra = { ...receipt, extra: new TextEncoder().encode('age-v1.2.1') }
    expect(parseReceipt(formatReceipt(withExtra))).toEqual(withExtra)
    expect(formatReceipt(withExtra).split('\n')[1]).toBe('extra YWdlLXYxLjIuMQ==')
  })

  test('of the only entry of a log has no hash in it', () => {
    const note = signNote(formatCheckpoint({ origin, size: 1, rootHash: leafHashes[0]! }), key)
    const only = formatReceipt({ index: 0, proof: [], checkpoint: note })
    expect(only).toBe(`c2sp.org/tlog-proof@v1\nindex 0\n\n${note}`)
    verifyReceipt(parseReceipt(only), leafHashes[0]!, policy)
  })

  test('is refused after any change of a bit', () => {
    const bytes = new TextEncoder().encode(text)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const asText = new TextDecoder().decode(changed)
      expect(codeOf(() => verifyReceipt(parseReceipt(asText), leafHashes[41]!, policy))).not.toBeNull()
    }
  })

  test('of another entry, and by another log, is refused', () => {
    expectRefused(() => verifyReceipt(receipt, leafHashes[40]!, policy), 'ERR_PROOF_ROOT')
    expectRefused(() => verifyReceipt({ ...receipt, index: 300 }, leafHashes[41]!, policy), 'ERR_PROOF_SIZE')
    const other = parseSigningKey(generateLogKey(origin).signingKey)
    const elsewhere = { origin, logKeys: [other.verifierKey] }
    expectRefused(() => verifyReceipt(receipt, leafHashes[41]!, elsewhere), 'ERR_NOTE_UNSIGNED')
  })

  // The first eight are of transparency-dev/formats, proof/tlog_proof_test.go, Copyright 2026 Google LLC, Apache License 2.0.
  test.each([
    ['another header', 'wrong-header\nindex 0\n\ncheckpoint\n'],
    ['extra data that are not base64', 'c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n'],
    ['no index', 'c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n'],
    ['an index that is no number', 'c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n'],
    ['a negative index', 'c2sp.org/tlog-proof@v1\nindex -5\n\ncheckpoint\n'],
    ['a hash that is not base64', 'c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!\n\ncheckpoint\n'],
    ['a hash of 64 bytes', `c2sp.org/tlog-proof@v1\nindex 0\n${Buffer.alloc(64).toString('base64')}\n\ncheckpoint\n`],
    ['no end', `c2sp.org/tlog-proof@v1\nindex 0\n${'a'.repeat(65 * 1024)}\n`],
    ['a leading zero', text.replace('index 41', 'index 041')],
    ['an index beyond 2^53', text.replace('index 41', 'index 9007199254740992')],
    ['the index behind a hash', text.replace(/(index 41)\n(.*)\n/, '$2\n$1\n')],
    ['extra data twice', text.replace('index', 'extra AA==\nextra AA==\nindex')],
    ['empty extra data', text.replace('index', 'extra \nindex')],
    ['extra data behind the index', text.replace('index 41\n', 'index 41\nextra AA==\n')],
    ['a space at the end of a line', text.replace('index 41\n', 'index 41 \n')],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
    ['54 hashes', text.replace('index 41\n', `index 41\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(54)}`)],
  ])('with %s is none', (_, wrong) => {
    expect(wrong).not.toBe(text)
    expectRefused(() => parseReceipt(wrong), 'ERR_RECEIPT_MALFORMED')
  })

  test('has a checkpoint in it', () => {
    expectRefused(() => parseReceipt('c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n'), 'ERR_NOTE_MALFORMED')
    const noCheckpoint = signNote('text\n', key)
    expectRefused(() => formatReceipt({ ...receipt, checkpoint: noCheckpoint }), 'ERR_CHECKPOINT_MALFORMED')
    expectRefused(() => formatReceipt({ ...receipt, extra: new Uint8Array(0) }), 'ERR_RECEIPT_MALFORMED')
    expectRefused(() => formatReceipt({ ...receipt, index: -1 }), 'ERR_PROOF_SIZE')
  })
})

describe('a walk over a log', () => {
  const leafHashes = makeLeaves(600).map(computeLeafHash)
  const head = (size: number): { origin: string; size: number; rootHash: Uint8Array } => ({
    origin: 'log.example/gate',
    size,
    rootHash: treeHash(leafHashes.slice(0, size)),
  })

  test('compares the root at every checkpoint, in whatever batches it goes', () => {
    const sizes = fc.uniqueArray(fc.nat(600), { maxLength: 10 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 600 }), (at, batch) => {
        const walk = createLogWalk(at.map(head))
        for (let from = 0; from < 600; from += batch) walk.append(leafHashes.slice(from, from + batch))
        walk.finish()
        expect(walk.results().map(({ checkpoint, matches }) => [checkpoint.size, matches])).toEqual(
          at.toSorted((a, b) => a - b).map((size) => [size, true]),
        )
      }),
    )
  })

  test('finds a leaf that was changed, put in, left out or moved, from the next checkpoint on', () => {
    const stranger = computeLeafHash(new TextEncoder().encode('stranger'))
    const tampered: Record<string, Uint8Array[]> = {
      changed: leafHashes.with(100, stranger),
      putIn: leafHashes.toSpliced(100, 0, stranger),
      leftOut: leafHashes.toSpliced(100, 1),
      moved: leafHashes.with(100, leafHashes[101]!).with(101, leafHashes[100]!),
    }
    for (const [what, leaves] of Object.entries(tampered)) {
      const walk = createLogWalk([50, 100, 102, 300, 599].map(head))
      walk.append(leaves)
      expect(
        walk.results().map(({ matches }) => matches),
        what,
      ).toEqual([true, true, false, false, false])
      expectRefused(() => walk.finish(), 'ERR_LOG_ROOT')
    }
  })

  test('finds that the end is gone', () => {
    const walk = createLogWalk([head(100), head(600)])
    walk.append(leafHashes.slice(0, 599))
    expect(walk.results()[1]).toMatchObject({ rootHash: null, matches: false })
    expectRefused(() => walk.finish(), 'ERR_LOG_SIZE')
  })

  test('finds two roots for one size: at most one of them is right', () => {
    const forked = { ...head(300), rootHash: EMPTY_ROOT }
    const walk = createLogWalk([head(300), forked])
    walk.append(leafHashes)
    expect(walk.results().map(({ matches }) => matches)).toEqual([true, false])
    expectRefused(() => walk.finish(), 'ERR_LOG_ROOT')
  })

  test('begins in the middle where the older entries are gone, and does not speak for what is before', () => {
    const start = extendFrontier(EMPTY_FRONTIER, leafHashes.slice(0, 256))
    const walk = createLogWalk([256, 257, 600].map(head), start)
    expect(walk.append(leafHashes.slice(256)).filter(({ level }) => level === 1)).toHaveLength(1)
    walk.finish()
    expectRefused(() => createLogWalk([600, 255].map(head), start), 'ERR_PROOF_SIZE')
  })

  test('without a single leaf knows the empty tree', () => {
    const walk = createLogWalk([head(0)])
    walk.finish()
    expect(walk.results()[0]!.rootHash).toEqual(EMPTY_ROOT)
  })
})
