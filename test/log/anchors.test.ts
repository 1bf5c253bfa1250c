import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Anchor, AnchorError, AnchorForkError, type Published } from '../../src/log/anchor.ts'
import { createCommandAnchor } from '../../src/log/anchors/command.ts'
import { createHttpPutAnchor } from '../../src/log/anchors/http-put.ts'
import { until } from '../support/gate.ts'
import { createMemoryLog } from './memory-log.ts'
import { readAnchorFile } from './read-anchor-file.ts'

const never = new AbortController().signal

async function failureOf(anchor: Anchor, published: Published, signal = never): Promise<string> {
  const error = await anchor.put(published, signal).then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  )
  if (error instanceof AnchorForkError) return `fork: ${error.message}`
  return error instanceof AnchorError ? error.message : String(error)
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-anchors-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function publishedOf(entries = 3, what = 'entry'): Promise<Published> {
  const log = createMemoryLog('log.example/a&b')
  log.append(entries, what)
  return log.checkpoint()
}

describe('a command', () => {
  const shell = (script: string, ...args: string[]): Anchor =>
    createCommandAnchor({ name: 'command', program: '/bin/sh', args: ['-c', script, 'sh', ...args] })

  test('gets the note on its standard input, and size and origin in its arguments', async () => {
    const path = join(newFolder(), 'kept')
    const published = await publishedOf()
    await shell('printf "%s|%s\\n" "$1" "$2" > "$3"; cat >> "$3"', '{size}', '--of={origin}', path).put(
      published,
      never,
    )
    expect(readFileSync(path, 'utf8')).toBe(`3|--of=log.example/a&b\n${published.note}`)
  })

  test('is no shell, so that an origin cannot be a command', async () => {
    const path = join(newFolder(), 'kept')
    const log = createMemoryLog('$(id);`id`')
    log.append(1)
    await shell('printf %s "$1" > "$2"', '{origin}', path).put(await log.checkpoint(), never)
    expect(readFileSync(path, 'utf8')).toBe('$(id);`id`')
  })

  test('does not get the settings of Gatebook', async () => {
    const path = join(newFolder(), 'kept')
    const environment = { PATH: process.env.PATH, GATEBOOK_SECRET: 's3cret', GATEBOOK_LOG_KEY: 's3cret', KEPT: 'yes' }
    const args = ['-c', 'env > "$1"', 'sh', path]
    await createCommandAnchor({ name: 'command', program: '/bin/sh', args, environment }).put(
      await publishedOf(),
      never,
    )
    expect(readFileSync(path, 'utf8')).toContain('KEPT=yes')
    expect(readFileSync(path, 'utf8')).not.toMatch(/GATEBOOK|s3cret/)
  })

  test('counts by its status, with what it has said', async () => {
    const published = await publishedOf()
    expect(await failureOf(shell('exit 0'), published)).toBe('no failure')
    expect(await failureOf(shell('echo fine; exit 7'), published)).toBe('The program ended with status 7.')
    expect(await failureOf(shell('echo "no space" >&2; exit 1'), published)).toBe(
      'The program ended with status 1: no space',
    )
    expect(await failureOf(shell('kill -9 $$'), published)).toBe('The program ended with SIGKILL.')
    const talkative = await failureOf(shell('yes word | head -c 1000000 >&2; exit 1'), published)
    expect(talkative.length).toBeLessThan(300)
    // What it leaves behind may hold on to its standard error.
    expect(await failureOf(shell('sleep 5 & echo gone >&2; exit 2'), published)).toBe(
      'The program ended with status 2: gone',
    )
  })

  test('that takes too long is ended, also when it does not want to', async () => {
    const published = await publishedOf()
    const folder = newFolder()
    const stubborn = 'trap "" TERM; echo $$ > "$1"; while :; do sleep 0.1; done'
    for (const [name, script] of [
      ['willing', 'echo $$ > "$1"; exec sleep 60'],
      ['stubborn', stubborn],
    ] as const) {
      const path = join(folder, name)
      const stopping = new AbortController()
      const failed = failureOf(shell(script, path), published, stopping.signal)
      const pid = await until('it runs', async () => {
        try {
          return Number(readFileSync(path, 'utf8').trim())
        } catch {
          return null
        }
      })
      stopping.abort()
      expect(await failed).toBe('The program took too long and was ended.')
      expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    }
  })

  test('of the page about anchors appends whole notes, and nothing else', async () => {
    const page = readFileSync(new URL('../../docs/anchors.md', import.meta.url), 'utf8')
    const script = /```sh\n(#!\/bin\/sh\n# Standard input[^`]*)```/.exec(page)?.[1] ?? ''
    const path = join(newFolder(), 'gatebook')
    const anchor = shell(script.replace('/var/lib/anchors/gatebook', path))
    const published = [await publishedOf(1), await publishedOf(2)]
    for (const each of published) expect(await failureOf(anchor, each)).toBe('no failure')
    const cut = { ...published[0]!, note: published[0]!.note.slice(0, -5) }
    expect(await failureOf(anchor, cut)).toBe('The program ended with status 1: not a whole note')
    const kept: string[] = []
    for await (const { note } of readAnchorFile(path)) kept.push(note)
    expect(kept).toEqual(published.map(({ note }) => note))
  })

  test('that is not there cannot be started', async () => {
    const anchor = createCommandAnchor({ name: 'command', program: '/nowhere/keep' })
    expect(await failureOf(anchor, await publishedOf())).toBe('The program cannot be started (ENOENT).')
  })
})

interface Store {
  readonly url: string
  readonly kept: Map<string, string>
  readonly requests: IncomingMessage[]
}

/** A server that keeps what is PUT and replaces nothing that `If-None-Match: *` protects. */
async function openStore(meddle: (request: IncomingMessage) => number | 'hang' | null = () => null): Promise<Store> {
  const kept = new Map<string, string>()
  const requests: IncomingMessage[] = []
  const server = createServer(async (request, response) => {
    requests.push(request)
    const { url = '', method } = request
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const status = meddle(request)
    if (status === 'hang') return
    if (status !== null) return void response.writeHead(status, { Location: '/elsewhere' }).end('<html>')
    if (method === 'GET') return void response.writeHead(kept.has(url) ? 200 : 404).end(kept.get(url))
    if (kept.has(url) && request.headers['if-none-match'] === '*') return void response.writeHead(412).end()
    kept.set(url, body)
    response.writeHead(201).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, kept, requests }
}

describe('an HTTP PUT', () => {
  const anchorAt = (url: string, more = {}): Anchor => createHttpPutAnchor({ name: 'put', url, ...more })

  test('keeps each checkpoint under its size', async () => {
    const store = await openStore()
    const [first, second] = [await publishedOf(1), await publishedOf(2)]
    const anchor = anchorAt(`${store.url}/logs/{origin}/{size}.txt?x={size}`)
    for (const published of [first, second]) await anchor.put(published, never)
    expect([...store.kept]).toEqual([
      ['/logs/log.example%2Fa%26b/1.txt?x=1', first.note],
      ['/logs/log.example%2Fa%26b/2.txt?x=2', second.note],
    ])
    expect(store.requests[0]!.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'if-none-match': '*',
    })
  })

  test('is done when the checkpoint is there already, and says when it is something else', async () => {
    const store = await openStore()
    const published = await publishedOf(3)
    const anchor = anchorAt(`${store.url}/{size}`)
    for (const again of [published, published]) expect(await failureOf(anchor, again)).toBe('no failure')
    expect(await failureOf(anchor, await publishedOf(3, 'other'))).toBe('fork: Another checkpoint of size 3 is kept.')
    for (const body of ['', '<html>', (await publishedOf(4)).note]) {
      store.kept.set('/3', body)
      expect(await failureOf(anchor, published)).toBe('What is kept for size 3 is not a checkpoint of that size.')
    }
    const unreadable = await openStore(({ method }) => (method === 'GET' ? 403 : 412))
    expect(await failureOf(anchorAt(`${unreadable.url}/{size}`), published)).toBe(
      `${new URL(unreadable.url).host} answered 403, but has something there already.`,
    )
  })

  test('shows who it is', async () => {
    const store = await openStore()
    const tokenFile = join(newFolder(), 'token')
    const anchor = anchorAt(`${store.url}/{size}`, { headers: { 'X-Tenant': 'a' }, tokenFile })
    const published = await publishedOf()
    expect(await failureOf(anchor, published)).toBe('The file with the token cannot be read (ENOENT).')
    writeFileSync(tokenFile, 'two\nlines\n')
    expect(await failureOf(anchor, published)).toBe('The file with the token has no token on its one line.')
    for (const token of ['first', 'second']) {
      writeFileSync(tokenFile, `${token}\n`)
      await anchor.put(published, never)
    }
    expect(
      store.requests.map(({ method, headers }) => `${method} ${headers.authorization} ${headers['x-tenant']}`),
    ).toEqual(['PUT Bearer first a', 'PUT Bearer second a', 'GET Bearer second a'])
  })

  test.each<[number, string]>([
    [400, 'answered 400, which is no success.'],
    [401, 'answered 401, which is no success.'],
    [404, 'answered 404, which is no success.'],
    [500, 'answered 500, which is no success.'],
    [301, 'answered 301, which is a redirect, and none is followed.'],
    [307, 'answered 307, which is a redirect, and none is followed.'],
  ])('has failed with %i', async (status, words) => {
    const store = await openStore(() => status)
    const host = new URL(store.url).host
    expect(await failureOf(anchorAt(`${store.url}/s3cret/{size}`), await publishedOf())).toBe(`${host} ${words}`)
    expect(store.requests).toHaveLength(1)
  })

  test('has failed when nobody answers in time, or at all', async () => {
    const store = await openStore(() => 'hang')
    const published = await publishedOf()
    const host = new URL(store.url).host
    expect(await failureOf(anchorAt(`${store.url}/s3cret/{size}`), published, AbortSignal.timeout(50))).toBe(
      `${host} did not answer in time.`,
    )
    expect(await failureOf(anchorAt('http://127.0.0.1:1/s3cret/{size}'), published)).toMatch(
      /^127\.0\.0\.1:1 cannot be reached \((ECONNREFUSED|no code)\)\.$/,
    )
    expect(await failureOf(anchorAt('http://name.invalid/s3cret/{size}'), published)).toMatch(
      /^name\.invalid cannot be reached \((ENOTFOUND|EAI_AGAIN)\)\.$/,
    )
  })

  test.each([['https://a.example/log'], ['https://anna:s3cret@a.example/{size}'], ['file:///{size}'], ['{size}']])(
    'is refused at %s',
    (url) => {
      expect(() => anchorAt(url)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
    },
  )
})
