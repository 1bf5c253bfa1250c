import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Anchor, AnchorError, AnchorForkError, type Published } from '../../src/log/anchor.ts'
import { createWitnessAnchor } from '../../src/log/anchors/witness.ts'
import {
  createVerifierKey,
  formatNote,
  openCheckpoint,
  parseNote,
  parseSignatures,
  type VerifierKey,
} from '../../src/proof/index.ts'
import { decodeBase64 } from '../../src/util/base64.ts'
import vectors from './litewitness.json' with { type: 'json' }
import { createMemoryLog, publish } from './memory-log.ts'
import { openWitness, type WitnessAnswer, type WitnessServer } from './witness-server.ts'

const never = new AbortController().signal

function anchorAt(url: string, ...keys: VerifierKey[]): Anchor {
  return createWitnessAnchor({ name: 'w1', url, keys })
}

/** The kind of the failure and its words; the words of the failure are what the operator gets. */
async function failureOf(anchor: Anchor, published: Published, signal = never): Promise<string> {
  const error = await anchor.put(published, signal).then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  )
  if (error instanceof AnchorForkError) return `fork: ${error.message}`
  return error instanceof AnchorError ? error.message : String(error)
}

/** A log with six entries, and a witness that knows it. */
async function logAndWitness(meddle?: (answer: WitnessAnswer) => WitnessAnswer | Promise<WitnessAnswer>) {
  const log = createMemoryLog()
  log.append(6)
  const witness = await openWitness({ logs: { [log.origin]: [log.key] }, ...(meddle && { meddle }) })
  return { log, witness, anchor: anchorAt(witness.url, witness.key) }
}

const oldSizes = (witness: WitnessServer): string[] => witness.requests.map((body) => body.split('\n')[0]!)

describe('a witness', () => {
  test('signs the first checkpoint and the next one, and its signatures stand in the note', async () => {
    const { log, witness, anchor } = await logAndWitness()
    for (const more of [0, 300, 1]) {
      log.append(more)
      const published = await log.checkpoint()
      const { cosignatures = [] } = await anchor.put(published, never)
      const { text, signatures } = parseNote(published.note)
      const note = formatNote({ text, signatures: [...signatures, ...cosignatures] })
      const opened = openCheckpoint(note, {
        origin: log.origin,
        logKeys: [log.key],
        witnesses: [witness.key],
        quorum: 1,
      })
      expect(Math.abs(opened.cosignatures[0]!.signedAt! - Date.now())).toBeLessThan(5000)
      expect(witness.head(log.origin).size).toBe(log.leafHashes.length)
    }
    expect(oldSizes(witness)).toEqual(['old 0', 'old 6', 'old 306'])
  })

  test('tells a process that has just started how far it is', async () => {
    const { log, witness, anchor } = await logAndWitness()
    await anchor.put(await log.checkpoint(), never)
    log.append(3)
    const restarted = anchorAt(witness.url, witness.key)
    expect((await restarted.put(await log.checkpoint(), never)).cosignatures).toHaveLength(1)
    expect(oldSizes(witness)).toEqual(['old 0', 'old 0', 'old 6'])
  })

  test('signs the same checkpoint twice', async () => {
    const { log, witness, anchor } = await logAndWitness()
    const published = await log.checkpoint()
    for (const asked of [anchor, anchor, anchorAt(witness.url, witness.key)]) {
      expect((await asked.put(published, never)).cosignatures).toHaveLength(1)
    }
    expect(oldSizes(witness)).toEqual(['old 0', 'old 6', 'old 0', 'old 6'])
  })

  test('finds out that the log was rolled back, and goes on when it was not', async () => {
    const { log, anchor } = await logAndWitness()
    await anchor.put(await log.checkpoint(), never)
    expect(await failureOf(anchor, await log.checkpoint(4))).toBe(
      'fork: The witness has signed a checkpoint of size 6, and this log has 4.',
    )
    log.append(1)
    expect(await failureOf(anchor, await log.checkpoint())).toBe('no failure')
  })

  test('finds out that the log was rolled back and has grown again', async () => {
    const { log, witness, anchor } = await logAndWitness()
    await anchor.put(await log.checkpoint(), never)
    log.rollBack(4)
    log.append(5, 'other')
    const forked = 'fork: This log does not continue the one of size 6 that the witness has signed.'
    expect(await failureOf(anchor, await log.checkpoint())).toBe(forked)
    expect(await failureOf(anchorAt(witness.url, witness.key), await log.checkpoint())).toBe(forked)
    expect(witness.head(log.origin).size).toBe(6)
  })

  test('finds out that another history has the same size', async () => {
    const { log, witness, anchor } = await logAndWitness()
    await anchor.put(await log.checkpoint(), never)
    log.rollBack(5)
    log.append(1, 'other')
    const forked = 'fork: The witness has signed another checkpoint of size 6.'
    expect(await failureOf(anchor, await log.checkpoint())).toBe(forked)
    expect(await failureOf(anchorAt(witness.url, witness.key), await log.checkpoint())).toBe(forked)
  })

  test('that does not know the log, or its key, says so', async () => {
    const { log, witness } = await logAndWitness()
    const stranger = createMemoryLog('other.example/log')
    const host = new URL(witness.url).host
    const anchor = anchorAt(witness.url, witness.key)
    expect(await failureOf(anchor, await stranger.checkpoint())).toBe(
      `${host} answered 404, it does not know this log.`,
    )
    const impostor = createMemoryLog(log.origin)
    impostor.append(1)
    expect(await failureOf(anchor, await impostor.checkpoint())).toBe(
      `${host} answered 403, it does not know the key that has signed.`,
    )
  })

  test('that others use as well is asked again, but not for ever', async () => {
    const { log, witness, anchor } = await logAndWitness()
    await anchor.put(await log.checkpoint(2), never)
    await anchorAt(witness.url, witness.key).put(await log.checkpoint(3), never)
    expect(await failureOf(anchor, await log.checkpoint())).toBe('no failure')

    let size = 1
    const fickle = await logAndWitness((answer) => ({
      ...answer,
      status: 409,
      type: 'text/x.tlog.size',
      body: `${size++}\n`,
    }))
    expect(await failureOf(fickle.anchor, await fickle.log.checkpoint())).toBe(
      'The witness told another size each time it was asked.',
    )
    expect(fickle.witness.requests).toHaveLength(4)
  })

  test.each<[string, (answer: WitnessAnswer) => WitnessAnswer, RegExp]>([
    [
      'another key',
      ({ body }) => ({ status: 200, body: body.replace('/w1 ', '/w2 ') }),
      /without a signature by its key/,
    ],
    [
      'a wrong signature',
      ({ body }) => ({ status: 200, body: flip(body, 60) }),
      /wrong signature \(ERR_NOTE_SIGNATURE\)/,
    ],
    ['another time', ({ body }) => ({ status: 200, body: flip(body, 11) }), /wrong signature \(ERR_NOTE_SIGNATURE\)/],
    ['nothing', () => ({ status: 200, body: '' }), /wrong signature \(ERR_NOTE_MALFORMED\)/],
    [
      'a line that is cut off',
      ({ body }) => ({ status: 200, body: body.trimEnd() }),
      /wrong signature \(ERR_NOTE_MALF/,
    ],
    ['a page', () => ({ status: 200, body: '<html>\n' }), /wrong signature \(ERR_NOTE_MALFORMED\)/],
    [
      'too much',
      () => ({ status: 200, body: 'x'.repeat(70_000) }),
      /cannot be reached \(the answer has more than 65536/,
    ],
    ['500', () => ({ status: 500, body: 'oops' }), /answered 500, which is no success/],
    ['a redirect', () => ({ status: 307, body: '' }), /answered 307, which is a redirect, and none is followed/],
    ['409 without a size', () => ({ status: 409, body: 'no\n' }), /answered 409, but did not tell its size/],
    [
      '409 with a size of another type',
      () => ({ status: 409, body: '3\n' }),
      /answered 409, but did not tell its size/,
    ],
    ['409 with the size it was asked with', size('0\n'), /answered 409, but did not tell its size/],
    ['a size with a zero in front', size('03\n'), /answered 409, but did not tell its size/],
    ['a size beyond numbers', size('9007199254740993\n'), /answered 409, but did not tell its size/],
  ])('that answers %s has failed', async (_what, meddle, wanted) => {
    const { log, anchor } = await logAndWitness(meddle)
    const failure = await failureOf(anchor, await log.checkpoint())
    expect(failure).toMatch(wanted)
    expect(failure).not.toMatch(/^fork/)
  })

  test('that never answers has failed when the time is over', async () => {
    const { log, anchor } = await logAndWitness(() => new Promise(() => undefined))
    expect(await failureOf(anchor, await log.checkpoint(), AbortSignal.timeout(50))).toMatch(/did not answer in time/)
  })

  test('that is not there has failed', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port } = gone.address() as AddressInfo
    await new Promise((resolve) => gone.close(resolve))
    const { log, witness } = await logAndWitness()
    expect(await failureOf(anchorAt(`http://127.0.0.1:${port}`, witness.key), await log.checkpoint())).toBe(
      `127.0.0.1:${port} cannot be reached (ECONNREFUSED).`,
    )
  })
})

/** Another character at this place of the signature. */
function flip(line: string, at: number): string {
  const begin = line.lastIndexOf(' ') + 1 + at
  return `${line.slice(0, begin)}${line[begin] === 'A' ? 'B' : 'A'}${line.slice(begin + 1)}`
}

function size(body: string): () => WitnessAnswer {
  return () => ({ status: 409, body, type: 'text/x.tlog.size' })
}

describe('the exchanges of litewitness', () => {
  const key = createVerifierKey(vectors.origin, new Uint8Array(Buffer.from(vectors.publicKey, 'hex')))
  const leafHashes = vectors.leafHashes.map((hash) => decodeBase64(hash)!)
  const noteOf = (request: string): string => request.slice(request.indexOf('\n\n') + 2)

  test('are answered in the same way by the witness of these tests', async () => {
    const witness = await openWitness({ logs: { [vectors.origin]: [key] } })
    for (const { name, request, status, body } of vectors.exchanges) {
      const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: request })
      const text = await response.text()
      expect([name, response.status]).toEqual([name, status])
      if (body !== undefined) expect([name, text]).toEqual([name, body])
      if (status === 200) expect(parseSignatures(text)).toHaveLength(1)
    }
  })

  test('are what the client says, byte for byte', async () => {
    const wanted = vectors.exchanges.filter(({ name }) => /^(first|next|with)/.test(name)).map(({ request }) => request)
    const witness = await openWitness({ logs: { [vectors.origin]: [key] } })
    const anchor = anchorAt(witness.url, witness.key)
    for (const request of wanted) await anchor.put(publish(noteOf(request), leafHashes), never)
    expect(witness.requests).toEqual(wanted)
  })
})

describe('an endpoint that redirects', () => {
  test('does not get the request where it points to', async () => {
    const { log, witness } = await logAndWitness()
    const server: Server = createServer((_request, response) => {
      response.writeHead(308, { Location: `${witness.url}/add-checkpoint` }).end()
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    expect(await failureOf(anchorAt(`http://127.0.0.1:${port}`, witness.key), await log.checkpoint())).toMatch(
      /redirect/,
    )
    expect(witness.requests).toEqual([])
  })
})
