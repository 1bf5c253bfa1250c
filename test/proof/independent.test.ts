import { execFile, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatVerifierKey, generateLogKey, parseSigningKey, type SigningKey } from '../../src/proof/index.ts'
import { renameSigningKey } from '../../src/proof/note-key.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { writeDirectory } from './write-directory.ts'

/**
 * What an auditor runs who does not trust us. A log that only its own program can verify proves nothing, so an export has to
 * be accepted, and refused after every change, by two programs of which neither has a line of ours in it.
 */
const FOLDER = fileURLToPath(new URL('independent/', import.meta.url))
const GO_PATH = '/usr/share/gocode'
const PYTHON = '/usr/bin/python3'

const hasGo =
  spawnSync('go', ['version']).status === 0 && existsSync(join(GO_PATH, 'src/golang.org/x/mod/sumdb/tlog/tlog.go'))
const hasPython = spawnSync(PYTHON, ['--version']).status === 0 && spawnSync('openssl', ['version']).status === 0
const missing = [
  ...(hasGo ? [] : ['go and golang.org/x/mod, which Debian packages as golang-go and golang-golang-x-mod-dev']),
  ...(hasPython ? [] : [`${PYTHON} and openssl`]),
]
/** Skipped where one is missing, but in CI both have to be there. */
const skip = missing.length > 0 && process.env.CI === undefined

const work = mkdtempSync(join(tmpdir(), 'gatebook-independent-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

interface Verdict {
  readonly status: number
  readonly output: string
}

const PROGRAMS: Record<string, string[]> = {
  go: [join(work, 'verify-go')],
  python: [PYTHON, join(FOLDER, 'verify.py')],
}

async function run(name: string, ...args: string[]): Promise<Verdict> {
  const [program, ...first] = PROGRAMS[name] as [string, ...string[]]
  try {
    const { stdout } = await promisify(execFile)(program, [...first, ...args])
    return { status: 0, output: stdout }
  } catch (error) {
    const { code, stderr } = error as { code: number | string; stderr: string }
    if (typeof code !== 'number') throw error
    return { status: code, output: stderr }
  }
}

async function verdicts(...args: string[]): Promise<Record<string, Verdict>> {
  const names = Object.keys(PROGRAMS)
  const found = await Promise.all(names.map((name) => run(name, ...args)))
  return Object.fromEntries(names.map((name, at) => [name, found[at]!]))
}

/** Both must accept it, and say the same. */
async function expectVerified(
  directory: string,
  entries: number,
  checkpoints: number,
  { vkey, origin = ORIGIN }: { readonly vkey?: string; readonly origin?: string } = {},
): Promise<void> {
  const said = `verified ${entries} entries and ${checkpoints} checkpoints of ${origin}\n`
  const accepted = { status: 0, output: said }
  expect(await verdicts(directory, ...(vkey === undefined ? [] : [vkey]))).toEqual({ go: accepted, python: accepted })
}

/** Both must refuse it; what is not even in the right form ends in an error of the decoder. */
async function expectRefused(what: string, ...args: string[]): Promise<void> {
  for (const [name, { status, output }] of Object.entries(await verdicts(...args))) {
    expect({ what, name, status }).toEqual({ what, name, status: 1 })
    expect(output, what).toMatch(/FAILED|Error/)
  }
}

/** Flips one bit of a file for as long as `action` takes. */
async function withFlipped(path: string, bit: number, action: () => Promise<void>): Promise<void> {
  const before = readFileSync(path)
  const changed = Buffer.from(before)
  changed[bit >> 3]! ^= 1 << (bit & 7)
  writeFileSync(path, changed)
  try {
    await action()
  } finally {
    writeFileSync(path, before)
  }
}

/** A bit of any byte of any file. Python takes a while to begin, so it sees one byte in seven. */
async function expectEachBitCounts(folder: string): Promise<void> {
  for (const path of listFiles(folder)) {
    const { length } = readFileSync(join(folder, path))
    for (let byte = 0; byte < length; byte++) {
      const bit = byte * 8 + ((byte * 5) % 8)
      await withFlipped(join(folder, path), bit, async () => {
        if (byte % 7 === 0) return expectRefused(`${path} bit ${bit}`, folder)
        expect({ path, bit, ...(await run('go', folder)) }).toMatchObject({ path, bit, status: 1 })
      })
    }
  }
}

function listFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort()
}

const ORIGIN = 'log.example/gate'
const newKey = (): SigningKey => parseSigningKey(generateLogKey(ORIGIN).signingKey)
/** Leaves are as long as those of real events, and of many lengths. */
const entry = (index: number): Uint8Array => encodeUtf8(`{"n":${index},"pad":"${'x'.repeat((index * 37) % 400)}"}`)

beforeAll(() => {
  if (skip) return
  if (missing.length > 0) throw new Error(`CI has to have ${missing.join(', and ')}`)
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: GO_PATH, GOFLAGS: '' }
  const build = spawnSync('go', ['build', '-o', PROGRAMS.go![0]!, 'verify.go'], {
    cwd: FOLDER,
    env,
    encoding: 'utf8',
  })
  expect(`${build.stdout}${build.stderr}`).toBe('')
}, 180_000)

describe.skipIf(skip)(`an exported directory${skip ? ` (needs ${missing.join(', and ')})` : ''}`, () => {
  test('has a verifier that is read in some minutes', () => {
    expect(readFileSync(join(FOLDER, 'verify.py'), 'utf8').trimEnd().split('\n').length).toBeLessThan(60)
  })

  test.each([0, 1, 2, 255, 256, 257, 600])('of %d entries is verified by both', async (size) => {
    const folder = join(work, `size-${size}`)
    const older = [0, 1, 255, 256].filter((at) => at <= size)
    writeDirectory({ folder, key: newKey(), entry, size, older })
    await expectVerified(folder, size, 1 + older.length)
  })

  test('may hold entries of any bytes, none at all and as many as there can be', async () => {
    const folder = join(work, 'any-bytes')
    const odd = (index: number): Uint8Array => new Uint8Array([0, 1, 255, 256, 65_535][index % 5]!).fill(index)
    writeDirectory({ folder, key: newKey(), entry: odd, size: 10 })
    await expectVerified(folder, 10, 1)
  })

  describe('of 70,000 entries', () => {
    const folder = join(work, 'large')
    const key = newKey()
    const older = [1, 255, 256, 257, 1000, 65_536, 69_999]

    beforeAll(() => writeDirectory({ folder, key, entry, size: 70_000, older }), 120_000)

    test('is what C2SP tlog-tiles says, and is verified by both', async () => {
      const files = listFiles(folder)
      expect(files.filter((path) => path.startsWith('tile/entries/'))).toHaveLength(274)
      expect(files.filter((path) => /^tile\/[0-9]/.test(path))).toHaveLength(274 + 2 + 1)
      expect(files.filter((path) => path.includes('.p/'))).toEqual([
        'tile/0/273.p/112',
        'tile/1/001.p/17',
        'tile/2/000.p/1',
        'tile/entries/273.p/112',
      ])
      await expectVerified(folder, 70_000, 1 + older.length)
      await expectVerified(folder, 70_000, 1 + older.length, { vkey: formatVerifierKey(key.verifierKey) })
    })

    // The first, the last and one in between of each kind of file, and a bit of the beginning, of the middle and of the end.
    const SAMPLE = [
      ...['checkpoint', 'vkey', 'checkpoints/1', 'checkpoints/65536', 'checkpoints/69999'],
      ...['tile/0/000', 'tile/0/131', 'tile/0/272', 'tile/0/273.p/112'],
      ...['tile/1/000', 'tile/1/001.p/17', 'tile/2/000.p/1'],
      ...['tile/entries/000', 'tile/entries/200', 'tile/entries/272', 'tile/entries/273.p/112'],
    ]
    test.each(SAMPLE)('%s: one bit less, and both refuse it', async (path) => {
      const bits = readFileSync(join(folder, path)).length * 8
      for (const bit of [3, Math.floor(bits * 0.47), bits - 6]) {
        await withFlipped(join(folder, path), bit, () => expectRefused(`${path} bit ${bit}`, folder))
      }
    })
  })

  describe('of 5 entries', () => {
    const folder = join(work, 'small')
    const key = newKey()
    const short = (index: number): Uint8Array => encodeUtf8(`{"n":${index}}`)
    beforeAll(() => writeDirectory({ folder, key, entry: short, size: 5, older: [3] }))

    test('with a bit changed in any byte of any file is refused by both', async () => {
      await expectVerified(folder, 5, 2)
      await expectEachBitCounts(folder)
    }, 240_000)

    /** A copy, so that what one of these does is gone for the next one. */
    const CHANGES: Record<string, (directory: string) => void> = {
      'a file that does not belong there': (directory) => writeFileSync(join(directory, 'tile/0/001'), ''),
      'a tile that is gone': (directory) => rmSync(join(directory, 'tile/0/000.p/5')),
      'a bundle that is gone': (directory) => rmSync(join(directory, 'tile/entries/000.p/5')),
      'no checkpoint': (directory) => rmSync(join(directory, 'checkpoint')),
      'no key': (directory) => rmSync(join(directory, 'vkey')),
      'an older checkpoint under another size': (directory) =>
        renameSync(join(directory, 'checkpoints/3'), join(directory, 'checkpoints/4')),
      'an older checkpoint in the place of the newest': (directory) =>
        renameSync(join(directory, 'checkpoints/3'), join(directory, 'checkpoint')),
      'the newest checkpoint in the place of an older one': (directory) =>
        cpSync(join(directory, 'checkpoint'), join(directory, 'checkpoints/3')),
      'a bundle with an entry behind its end': (directory) =>
        writeFileSync(join(directory, 'tile/entries/000.p/5'), Uint8Array.of(0, 1, 7), { flag: 'a' }),
      'a bundle with a byte behind its end': (directory) =>
        writeFileSync(join(directory, 'tile/entries/000.p/5'), Uint8Array.of(0), { flag: 'a' }),
      'a tile with a hash too many': (directory) =>
        writeFileSync(join(directory, 'tile/0/000.p/5'), new Uint8Array(32), { flag: 'a' }),
    }
    test.each(Object.keys(CHANGES))('with %s is refused by both', async (what) => {
      const copy = join(work, 'copy')
      rmSync(copy, { recursive: true, force: true })
      cpSync(folder, copy, { recursive: true })
      CHANGES[what]!(copy)
      await expectRefused(what, copy)
    })

    test('in another spelling of the same values is refused by both', async () => {
      const spelled = [
        ['vkey', (text: string) => text.replace(/\+([0-9a-f]{8})\+/, (_, id) => `+${id.toUpperCase()}+`)],
        ['vkey', (text: string) => text.trimEnd()],
        // The last character before the padding has two bits that stand for nothing.
        ['checkpoint', (text: string) => text.replace(/(.)=\n$/, (_, last) => `${nextInBase64(last)}=\n`)],
      ] as const
      for (const [path, spell] of spelled) {
        const before = readFileSync(join(folder, path), 'utf8')
        const after = spell(before)
        // An id of digits alone has no other case.
        if (after === before) continue
        writeFileSync(join(folder, path), after)
        await expectRefused(`${path} as ${JSON.stringify(after)}`, folder)
        writeFileSync(join(folder, path), before)
      }
    })

    test('that somebody has signed anew, with a key of his own, passes only for whoever does not know the key', async () => {
      const forged = join(work, 'forged')
      writeDirectory({ folder: forged, key: newKey(), entry: (index) => short(index + 1), size: 5 })
      await expectVerified(forged, 5, 1)
      await expectRefused('forged', forged, formatVerifierKey(key.verifierKey))
    })

    test('of a log that forgot an entry which an older checkpoint covers is refused by both', async () => {
      const rewritten = join(work, 'rewritten')
      writeDirectory({
        folder: rewritten,
        key,
        entry: (index) => entry(index < 1 ? index : index + 1),
        size: 5,
        older: [],
      })
      await expectVerified(rewritten, 5, 1)
      cpSync(join(folder, 'checkpoints'), join(rewritten, 'checkpoints'), { recursive: true })
      await expectRefused('rewritten', rewritten)
    })
  })
})

describe.skipIf(skip)('an exported directory of a log in its third epoch', () => {
  const folder = join(work, 'epochs')
  const { signingKey } = generateLogKey(ORIGIN)
  const keyOf = (epoch: number, of = signingKey): SigningKey =>
    parseSigningKey(epoch === 1 ? of : renameSigningKey(of, `${ORIGIN}/e${epoch}`))
  const earlier = [
    { key: keyOf(1), sizes: [1, 3] },
    { key: keyOf(2), sizes: [3, 4] },
  ]
  const origin = `${ORIGIN}/e3`
  const short = (index: number): Uint8Array => encodeUtf8(`{"n":${index}}`)
  beforeAll(() => writeDirectory({ folder, key: keyOf(3), entry: short, size: 6, older: [5], earlier }))

  test('is verified by both, with the key of the first epoch', async () => {
    expect(listFiles(folder).filter((path) => path.startsWith('earlier/'))).toEqual([
      ...['earlier/e1/1', 'earlier/e1/3', 'earlier/e2/3', 'earlier/e2/4'],
    ])
    await expectVerified(folder, 6, 6, { origin })
    await expectVerified(folder, 6, 6, { origin, vkey: formatVerifierKey(keyOf(1).verifierKey) })
    await expectRefused('another key', folder, formatVerifierKey(newKey().verifierKey))
    // The line of a later epoch does not say when the log began.
    await expectRefused('the key of another epoch', folder, formatVerifierKey(keyOf(2).verifierKey))
  })

  test('with a bit changed in any byte of any file is refused by both', async () => {
    await expectVerified(folder, 6, 6, { origin })
    await expectEachBitCounts(folder)
  }, 300_000)

  const other = generateLogKey(ORIGIN).signingKey
  const CHANGES: Record<string, (copy: string) => void> = {
    'a checkpoint under another epoch': (copy) => renameSync(join(copy, 'earlier/e2/4'), join(copy, 'earlier/e1/4')),
    'a checkpoint of an earlier epoch among those of this one': (copy) =>
      renameSync(join(copy, 'earlier/e2/4'), join(copy, 'checkpoints/4')),
    'an epoch without its key': (copy) =>
      writeFileSync(join(copy, 'vkey'), [1, 3].map((epoch) => line(keyOf(epoch))).join('')),
    'an epoch that somebody has signed with a key of his own': (copy) => {
      const foreign = { key: keyOf(2, other), sizes: [3, 4] }
      writeDirectory({
        folder: copy,
        key: keyOf(3),
        entry: short,
        size: 6,
        older: [5],
        earlier: [earlier[0]!, foreign],
      })
    },
  }
  const line = ({ verifierKey }: SigningKey): string => `${formatVerifierKey(verifierKey)}\n`
  test.each(Object.keys(CHANGES))('with %s is refused by both', async (what) => {
    const copy = join(work, 'copy')
    rmSync(copy, { recursive: true, force: true })
    cpSync(folder, copy, { recursive: true })
    CHANGES[what]!(copy)
    await expectRefused(what, copy)
  })
})

function nextInBase64(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return alphabet[alphabet.indexOf(character) + 1]!
}
