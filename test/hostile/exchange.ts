import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostileRequest } from './generate.ts'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case; several of one name are lines. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
  /** A stream: nothing comes behind it. */
  readonly endless: boolean
}

/** After this much silence a server that has answered everything has no more to say. */
const SILENCE_MILLISECONDS = 150
/** Where the bytes look unfinished to the server, it is told then that there are no more. */
const UNFINISHED_MILLISECONDS = 6000
const PATIENCE_MILLISECONDS = 40_000

/** Sends the bytes as they are and reads every answer until the server hangs up, or has answered all there was. */
export async function exchange(port: number, request: HostileRequest): Promise<RawAnswer[]> {
  const socket = connect({ port, host: '127.0.0.1' })
  const received: Buffer[] = []
  const ended = new Promise<void>((resolve) => {
    socket.on('data', (part: Buffer) => received.push(part))
    // A reset after an answer is how a server gets rid of a client that goes on sending.
    socket.once('close', () => resolve()).on('error', () => undefined)
  })
  const giveUp = setTimeout(() => socket.destroy(), PATIENCE_MILLISECONDS)
  const unfinished = setTimeout(
    () => socket.end(),
    UNFINISHED_MILLISECONDS + request.pauseMilliseconds * request.parts.length,
  )
  if (request.isPatient) clearTimeout(unfinished)
  try {
    await write(socket, request)
    for (;;) {
      const before = received.length
      const isOver = await Promise.race([ended.then(() => true), sleep(SILENCE_MILLISECONDS, false)])
      if (!isOver && received.length !== before) continue
      const answers = parseAnswers(Buffer.concat(received), request.methods)
      if (answers.at(-1)?.endless) return answers
      if (isOver || (request.untilClosed !== true && answers.length >= request.answers)) return answers
    }
  } finally {
    clearTimeout(giveUp)
    clearTimeout(unfinished)
    socket.destroy()
  }
}

async function write(socket: Socket, { parts, pauseMilliseconds }: HostileRequest): Promise<void> {
  for (const [at, part] of parts.entries()) {
    if (at > 0 && pauseMilliseconds > 0) await sleep(pauseMilliseconds)
    if (socket.destroyed) return
    await new Promise<void>((resolve) => socket.write(part, () => resolve()))
  }
}

/** Throws for bytes that are no answers. An answer that is not there in full is left out. */
export function parseAnswers(bytes: Buffer, methods: readonly string[]): RawAnswer[] {
  const answers: RawAnswer[] = []
  let at = 0
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) break
    const [line = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n')
    const match = /^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(line)
    if (match === null) throw new Error(`no status line: ${JSON.stringify(line.slice(0, 100))}`)
    const headers = new Map<string, string>()
    for (const header of lines) {
      const [, name, value] = /^([\w-]+): ([\x20-\x7e]*)$/.exec(header) ?? []
      if (name === undefined || value === undefined)
        throw new Error(`no header: ${JSON.stringify(header.slice(0, 100))}`)
      const known = headers.get(name.toLowerCase())
      headers.set(name.toLowerCase(), known === undefined ? value : `${known}\n${value}`)
    }
    const status = Number(match[1])
    at = end + 4
    // RFC 9110 §15.2: an interim answer is followed by the one that counts.
    if (status < 200) continue
    const bodiless = status === 204 || status === 304 || methods[answers.length] === 'HEAD'
    if (!bodiless && headers.get('content-type') === 'text/event-stream') {
      answers.push({ status, headers, body: bytes.toString('utf8', at), endless: true })
      break
    }
    const isChunked = !bodiless && headers.get('transfer-encoding') === 'chunked'
    const length = bodiless ? 0 : isChunked ? findChunkedEnd(bytes, at) : Number(headers.get('content-length') ?? 0)
    if (length === null || at + length > bytes.length) break
    answers.push({ status, headers, body: bytes.toString('utf8', at, at + length), endless: false })
    at += length
  }
  return answers
}

/** How many bytes the chunks take (RFC 9112 §7.1), with the empty one; null while that has not come. */
function findChunkedEnd(bytes: Buffer, from: number): number | null {
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const line = bytes.toString('latin1', at, lineEnd)
    if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`no length of a chunk: ${JSON.stringify(line.slice(0, 100))}`)
    const length = Number.parseInt(line, 16)
    at = lineEnd + 2 + length + 2
    if (length === 0) return at - from
  }
}
