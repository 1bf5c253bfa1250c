import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeBundle } from '../../src/proof/bundle.ts'
import { openCheckpoint } from '../../src/proof/checkpoint.ts'
import { computeLeafHash } from '../../src/proof/hash.ts'
import { readRoot } from '../../src/proof/hash-reader.ts'
import { parseReceipt, verifyReceipt } from '../../src/proof/receipt.ts'
import { formatTilePath } from '../../src/proof/tile.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { fillLog } from '../log/fill-log.ts'
import { allPublished, allSigned, KEY } from '../log/sign-log.ts'
import { availableEngines } from '../support/engines.ts'
import { openGate, openOwnGate, type TestGate, until } from '../support/gate.ts'
import { type CallOptions, call, type Reply, registerAdmin } from './caller.ts'

const POLICY = { origin: KEY.name, logKeys: [KEY.verifierKey] }
const PATHS = { adminPath: '/admin', logPath: '/log' }

async function bytesOf({ gate }: Pick<TestGate, 'gate'>, path: string): Promise<Response & { bytes: Uint8Array }> {
  const response = await gate.fetch(new Request(`http://localhost${path}`), { remoteAddress: '203.0.113.9' })
  return Object.assign(response, { bytes: new Uint8Array(await response.arrayBuffer()) })
}

describe.each(availableEngines)('the public log on $name', (engine) => {
  let on: TestGate
  let size: number
  const get = (path: string) => bytesOf(on, path)
  beforeAll(async () => {
    on = await openGate(engine, { ...PATHS, logPublic: true })
    await fillLog(on, 600)
    size = await allPublished(on)
  })
  afterAll(() => on.close())

  test('has a checkpoint that a key has signed, and whose root its tiles and its entries give', async () => {
    const checkpoint = await get('/log/checkpoint')
    expect(checkpoint.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(checkpoint.headers.get('cache-control')).toBe('public, max-age=2')
    const opened = openCheckpoint(new TextDecoder().decode(checkpoint.bytes), POLICY).checkpoint
    expect(opened.size).toBe(size)
    const reader = {
      readTile: async (level: number, index: number, width: number) =>
        (await get(`/log/${formatTilePath({ level, index, width })}`)).bytes,
    }
    expect(await readRoot(reader, size)).toEqual(opened.rootHash)
    for (const [path, width] of [
      ['000', 256],
      ['001', 256],
      [`002.p/${size - 512}`, size - 512],
    ] as const) {
      const entries = decodeBundle((await get(`/log/tile/entries/${path}`)).bytes, width)
      const hashes = (await get(`/log/tile/0/${path}`)).bytes
      expect(Buffer.concat(entries.map(computeLeafHash)).equals(hashes)).toBe(true)
    }
  })

  test('answers tiles as bytes that may be kept for ever, the partial ones of before too', async () => {
    for (const path of ['tile/0/000', 'tile/entries/001', 'tile/1/000.p/2', 'tile/0/002.p/1', 'tile/0/000.p/255']) {
      const { status, headers, bytes } = await get(`/log/${path}`)
      expect([path, status]).toEqual([path, 200])
      expect(headers.get('content-type')).toBe('application/octet-stream')
      expect(headers.get('content-length')).toBe(String(bytes.length))
      expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(Buffer.from((await on.gate.log.file(path))!).equals(bytes)).toBe(true)
    }
    const head = await on.gate.fetch(new Request('http://localhost/log/tile/0/000', { method: 'HEAD' }))
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '8192', ''])
    const post = await call(on.gate, 'POST /log/tile/0/000')
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  test.each([
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/257',
    'tile/0/000.p/01',
    'tile/0/000.p/-1',
    'tile/0/000.p/1.5',
    'tile/0/000.p',
    'tile/0/000.p/',
    'tile/0/000/',
    'tile/0//000',
    'tile//0/000',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/x000/000',
    'tile/0/x000',
    'tile/00/000',
    'tile/-1/000',
    'tile/64/000',
    'tile/1/000',
    'tile/2/000.p/1',
    'tile/63/000.p/1',
    'tile/0/003',
    'tile/0/002',
    'tile/0/002.p/255',
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x999/x999/x999/x999/x999/x999/999',
    'tile/entries/003',
    'tile/entries/000.p/0',
    'tile/entries/000.p/256',
    'tile/entries/0/000',
    'tile/data/000',
    'tile/0/%30%30%30',
    'tile/0%2F000',
    'tile/entries%2f000',
    'tile/0/..%2f0/000',
    'tile/0/000%00',
    'tile/0/000;x=1',
    "tile/0/'",
    'tile/0/000\\',
    'tile/0/٠٠٠',
    'tile/',
    'tile/0/',
    'checkpoint/',
    'checkpoint/x',
    'Checkpoint',
    'checkpoints/1',
    'vkey',
    '../admin/api/events',
    '',
  ])('has nothing at %s', async (path) => {
    const { status } = await get(`/log/${path}`)
    expect([401, 404]).toContain(status)
    // `..` is resolved before anybody here sees it.
    expect(status).toBe(path.startsWith('..') ? 401 : 404)
  })

  test('takes no query', async () => {
    expect((await get('/log/tile/0/000?x=1')).status).toBe(422)
    expect((await get('/log/checkpoint?size=1')).status).toBe(422)
  })

  test('does not show what is signed and not published yet', async () => {
    // Its first checkpoint is published at once, and no other one within the hour.
    const own = await openOwnGate(engine, { ...PATHS, logPublic: true, checkpointSeconds: 3600 })
    await fillLog(own, 300)
    const first = await until('a checkpoint is published', async () => (await own.gate.log.checkpoint()).published)
    await fillLog(own, 10)
    await allSigned(own)
    const { signed, published } = await own.gate.log.checkpoint()
    expect(published!.size).toBe(first.size)
    expect(signed!.size).toBeGreaterThan(first.size)
    const upTo = async (leaf: number) => {
      const path = formatTilePath({ level: 0, index: Math.floor(leaf / 256), width: (leaf % 256) + 1 })
      return (await bytesOf(own, `/log/${path}`)).status
    }
    expect(await upTo(first.size - 1)).toBe(200)
    expect(await upTo(first.size)).toBe(404)
  })
})

describe.each(availableEngines)('the log for admins on $name', (engine) => {
  let on: TestGate
  let token: string
  const ask = (line: string, options: CallOptions = {}): Promise<Reply> => call(on.gate, line, { token, ...options })
  beforeAll(async () => {
    on = await openGate(engine, PATHS)
    token = (await registerAdmin(on.gate)).access
  })
  afterAll(() => on.close())

  test('is for nobody else, and no cache keeps it for others', async () => {
    await allPublished(on)
    const user = await on.gate.register(on.person())
    for (const path of ['/log/checkpoint', '/log/tile/0/000.p/1', '/log/tile/nothing']) {
      expect((await call(on.gate, `GET ${path}`)).status).toBe(401)
      expect((await call(on.gate, `GET ${path}`, { token: user.accessToken })).status).toBe(403)
    }
    expect((await ask('GET /log/checkpoint')).headers.get('cache-control')).toBe('private, max-age=2')
    const tile = await ask('GET /log/tile/0/000.p/1')
    expect([tile.status, tile.headers.get('cache-control')]).toEqual([200, 'private, max-age=31536000, immutable'])
    expect((await ask('GET /log/tile/nothing')).json.code).toBe('ERR_TILE_NOT_FOUND')
  })

  test('is not there unless it is switched on, and has no checkpoint before the first one', async () => {
    const own = await openOwnGate(engine, { logSigning: 'off' })
    expect((await call(own.gate, 'GET /log/checkpoint')).status).toBe(404)
    expect(own.gate.handles('/log/checkpoint')).toBe(false)
    const unsigned = await openOwnGate(engine, { ...PATHS, logPublic: true, logSigning: 'off' })
    expect((await call(unsigned.gate, 'GET /log/checkpoint')).json.code).toBe('ERR_LOG_UNPUBLISHED')
    expect((await call(unsigned.gate, 'GET /log/tile/0/000.p/1')).status).toBe(404)
  })

  test('proves an event: as C2SP text, or with the entry and what it commits to', async () => {
    const { id } = (await on.gate.log.search({})).items.at(-1)!
    await allSigned(on)
    const path = `GET /admin/api/events/${id}/proof`
    const text = await ask(path)
    expect([text.status, text.headers.get('content-type'), text.headers.get('vary')]).toEqual([
      200,
      'text/plain; charset=utf-8',
      'Accept',
    ])
    const { json, headers } = await ask(path, { headers: { Accept: 'application/json' } })
    expect([headers.get('content-type'), headers.get('cache-control')]).toEqual(['application/json', 'no-store'])
    expect(json).toMatchObject({ format: 'gatebook-receipt/v1', event_id: id, leaf_hash: expect.any(String) })
    for (const proof of [text.text, json.proof]) {
      const hash = computeLeafHash(encodeUtf8(json.leaf))
      expect(verifyReceipt(parseReceipt(proof), hash, POLICY).checkpoint.size).toBeGreaterThan(0)
    }
    for (const accept of ['*/*', 'text/plain, application/json', 'application/*;q=0.1', 'text/html']) {
      expect((await ask(path, { headers: { Accept: accept } })).text).toMatch(/^c2sp\.org\/tlog-proof@v1\n/)
    }
    expect((await ask('GET /admin/api/events/evt_x/proof')).json.code).toBe('ERR_EVENT_NOT_FOUND')
    expect((await call(on.gate, path)).status).toBe(401)
    const exported = (await on.gate.log.search({ type: 'log.exported' })).items
    expect(exported).toHaveLength(6)
    expect(exported[0]).toMatchObject({
      actor: { kind: 'admin' },
      data: { format: 'receipt', entries: 1 },
      ip: '203.0.113.9',
    })
  })

  test('says when a receipt can be had', async () => {
    const own = await openOwnGate(engine, { ...PATHS, logSigning: 'off' })
    const admin = await registerAdmin(own.gate)
    const id = await own.gate.log.append({ type: 'app.order.placed' })
    const reply = await call(own.gate, `GET /admin/api/events/${id}/proof`, { token: admin.access })
    expect([reply.status, reply.json.code, reply.headers.get('retry-after')]).toEqual([409, 'ERR_EVENT_PENDING', '1'])
  })
})

/** Whoever keeps a tile for a year must not keep one that somebody has made up. */
describe.each(availableEngines)('a log that somebody has changed, on $name', (engine) => {
  const forged = Buffer.alloc(32, 7)

  async function open(): Promise<TestGate> {
    const on = await openOwnGate(engine, { ...PATHS, logPublic: true })
    await fillLog(on, 600)
    await allPublished(on)
    return on
  }

  async function statuses(on: TestGate, ...paths: readonly string[]): Promise<number[]> {
    const found: number[] = []
    for (const path of paths) found.push((await bytesOf(on, `/log/${path}`)).status)
    return found
  }

  test('is not served: leaf, hash, tile, order, checkpoint', async () => {
    const on = await open()
    const { kysely } = on.direct
    const all = [
      'checkpoint',
      'tile/0/000',
      'tile/entries/000',
      'tile/0/001',
      'tile/entries/001',
      'tile/1/000.p/2',
    ] as const
    expect(await statuses(on, ...all)).toEqual([200, 200, 200, 200, 200, 200])

    const entry = (index: number) =>
      kysely.selectFrom('gatebook_entry').selectAll().where('log_index', '=', index).executeTakeFirstOrThrow()
    const set = (index: number, values: { leaf?: Uint8Array; leaf_hash?: Uint8Array }) =>
      kysely.updateTable('gatebook_entry').set(values).where('log_index', '=', index).execute()

    const five = await entry(5)
    await set(5, { leaf: Buffer.from(`${Buffer.from(five.leaf)} `) })
    // Hashes come out of their own column, entries are hashed again.
    expect(await statuses(on, ...all)).toEqual([200, 200, 500, 200, 200, 200])
    await set(5, { leaf: five.leaf, leaf_hash: forged })
    expect(await statuses(on, ...all)).toEqual([200, 500, 200, 200, 200, 200])
    await set(5, { leaf_hash: five.leaf_hash })

    const [first, second] = [await entry(300), await entry(301)]
    await set(300, { leaf: second.leaf, leaf_hash: second.leaf_hash })
    await set(301, { leaf: first.leaf, leaf_hash: first.leaf_hash })
    expect(await statuses(on, ...all)).toEqual([200, 200, 200, 500, 500, 200])
    await set(300, { leaf: first.leaf, leaf_hash: first.leaf_hash })
    await set(301, { leaf: second.leaf, leaf_hash: second.leaf_hash })

    const tile = await kysely.selectFrom('gatebook_tile').selectAll().where('level', '=', 1).executeTakeFirstOrThrow()
    await kysely
      .updateTable('gatebook_tile')
      .set({ hashes: Buffer.alloc(64, 7) })
      .where('level', '=', 1)
      .execute()
    // What lies below the other hash of that tile cannot be shown to be right any more.
    expect(await statuses(on, ...all)).toEqual([200, 500, 500, 500, 500, 500])
    await kysely.updateTable('gatebook_tile').set({ hashes: tile.hashes }).where('level', '=', 1).execute()
    expect(await statuses(on, ...all)).toEqual([200, 200, 200, 200, 200, 200])

    await kysely
      .updateTable('gatebook_checkpoint')
      .set((eb) => ({ note: eb.fn<string>('replace', ['note', eb.val('app.example/'), eb.val('app.example-')]) }))
      .execute()
    expect(await statuses(on, ...all)).toEqual([500, 500, 500, 500, 500, 500])
    const told = on.diagnostics.filter(({ level }) => level === 'error')
    expect(told.map(({ fields }) => (fields as { detail?: string }).detail)).toContainEqual(
      expect.stringMatching(/^tile\/0\/000: /),
    )
    const reply = await call(on.gate, 'GET /log/checkpoint')
    expect(reply.json).toMatchObject({ code: 'ERR_LOG_TAMPERED', status: 500 })
  })
})
