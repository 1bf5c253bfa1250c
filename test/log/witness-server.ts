import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import {
  createVerifierKey,
  EMPTY_ROOT,
  formatNote,
  formatVerifierKey,
  generateLogKey,
  openCheckpoint,
  ProofError,
  parseCheckpoint,
  parseSigningKey,
  type TreeHead,
  type VerifierKey,
  verifyConsistency,
} from '../../src/proof/index.ts'
import { decodeBase64 } from '../../src/util/base64.ts'
import { concatBytes, encodeUtf8, equalBytes } from '../../src/util/bytes.ts'

export interface WitnessServer {
  /** The submission prefix. */
  readonly url: string
  /** Of its cosignatures. */
  readonly key: VerifierKey
  readonly vkey: string
  /** Bodies of all requests, oldest first. */
  readonly requests: readonly string[]
  /** What it has signed last. */
  head(origin: string): TreeHead
  /** As if it had signed this one. */
  setHead(origin: string, head: TreeHead): void
}

export interface WitnessOptions {
  /** Of the logs that it knows, by origin. */
  readonly logs: Readonly<Record<string, readonly VerifierKey[]>>
  readonly name?: string
  readonly now?: () => number
  /** Changes what is answered. */
  readonly meddle?: (answer: WitnessAnswer) => WitnessAnswer | Promise<WitnessAnswer>
  readonly port?: number
}

export interface WitnessAnswer {
  readonly status: number
  readonly body: string
  readonly type?: string
}

const NEVER: TreeHead = { size: 0, rootHash: EMPTY_ROOT }

/** A C2SP tlog-witness that keeps in memory what it has signed. It is gone when the test ends. */
export async function openWitness(options: WitnessOptions): Promise<WitnessServer> {
  const { name = 'witness.example/w1', now = Date.now, meddle = (answer) => answer } = options
  const signer = parseSigningKey(generateLogKey(name).signingKey)
  const key = createVerifierKey(name, signer.verifierKey.publicKey, 'cosignature')
  const heads = new Map<string, TreeHead>()
  const requests: string[] = []

  function cosign(text: string): string {
    const seconds = Math.floor(now() / 1000)
    const time = new Uint8Array(8)
    new DataView(time.buffer).setBigUint64(0, BigInt(seconds))
    const signature = concatBytes(time, signer.sign(encodeUtf8(`cosignature/v1\ntime ${seconds}\n${text}`)))
    return formatNote({ text, signatures: [{ name, keyId: key.keyId, signature }] }).slice(text.length + 1)
  }

  /** Looks and sets in one go, without an await in between: nobody can come first. */
  function addCheckpoint(body: string): WitnessAnswer {
    const { oldSize, proof, note } = parseRequest(body)
    // A signature that cannot be read is one that is wrong: only the text has to be well-formed.
    const text = note.slice(0, note.indexOf('\n\n') + 1)
    const claimed = parseCheckpoint(text)
    const logKeys = options.logs[claimed.origin]
    if (logKeys === undefined) return { status: 404, body: 'unknown log\n' }
    try {
      openCheckpoint(note, { origin: claimed.origin, logKeys })
    } catch {
      return { status: 403, body: 'invalid signature\n' }
    }
    if (oldSize > claimed.size) return { status: 400, body: 'the old size is larger\n' }
    const head = heads.get(claimed.origin) ?? NEVER
    if (oldSize !== head.size) return { status: 409, body: `${head.size}\n`, type: 'text/x.tlog.size' }
    if (head.size === claimed.size && head.size > 0 && !equalBytes(head.rootHash, claimed.rootHash)) {
      return { status: 409, body: `${head.size}\n`, type: 'text/x.tlog.size' }
    }
    try {
      verifyConsistency(head, claimed, proof)
    } catch (error) {
      if (error instanceof ProofError) return { status: 422, body: 'invalid consistency proof\n' }
      throw error
    }
    heads.set(claimed.origin, { size: claimed.size, rootHash: claimed.rootHash })
    return { status: 200, body: cosign(text) }
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const isCall = request.method === 'POST' && request.url === '/w1/add-checkpoint'
    if (isCall) requests.push(body)
    const answer = await meddle(isCall ? safely(() => addCheckpoint(body)) : { status: 404, body: 'no such path\n' })
    response.writeHead(answer.status, { 'Content-Type': answer.type ?? 'text/plain' }).end(answer.body)
  }

  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/w1`,
    key,
    vkey: formatVerifierKey(key),
    requests,
    head: (origin) => heads.get(origin) ?? NEVER,
    setHead: (origin, head) => void heads.set(origin, head),
  }
}

function safely(work: () => WitnessAnswer): WitnessAnswer {
  try {
    return work()
  } catch (error) {
    return { status: 400, body: `${error}\n` }
  }
}

function parseRequest(body: string): { oldSize: number; proof: Uint8Array[]; note: string } {
  const end = body.indexOf('\n\n')
  const [first = '', ...lines] = body.slice(0, end).split('\n')
  const digits = /^old (0|[1-9][0-9]*)$/.exec(first)?.[1]
  if (end < 0 || digits === undefined || lines.length > 63) throw new Error('malformed request')
  const proof = lines.map((line) => {
    const hash = decodeBase64(line)
    if (hash?.length !== 32) throw new Error('malformed proof')
    return hash
  })
  return { oldSize: Number(digits), proof, note: body.slice(end + 2) }
}
