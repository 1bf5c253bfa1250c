import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Anchor, AnchorError, AnchorForkError, type Published } from '../../src/log/anchor.ts'
import type { AnchorStatus } from '../../src/log/anchor-lane.ts'
import { type Anchoring, type AnchoringTiming, createAnchoring } from '../../src/log/anchoring.ts'
import { createCommandAnchor } from '../../src/log/anchors/command.ts'
import { createFileAnchor } from '../../src/log/anchors/file.ts'
import { createWitnessAnchor } from '../../src/log/anchors/witness.ts'
import { openCheckpoint, parseNote } from '../../src/proof/index.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeClock } from '../../src/testing/fake-clock.ts'
import { availableEngines } from '../support/engines.ts'
import { type DiagnosticsLine, recordDiagnostics, until } from '../support/gate.ts'
import { type DatabaseLog, openDatabaseLog } from './database-log.ts'
import { readAnchorFile } from './read-anchor-file.ts'
import { openWitness, type WitnessAnswer, type WitnessServer } from './witness-server.ts'

const QUICK: AnchoringTiming = { retry: [20, 100], limit: 2000, witnesses: 1000 }

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-anchoring-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

interface Opened {
  readonly anchoring: Anchoring
  readonly lines: readonly DiagnosticsLine[]
  readonly clock: ReturnType<typeof createFakeClock>
}

function open(
  log: DatabaseLog,
  anchors: readonly Anchor[],
  more: { store?: Store; timing?: Partial<AnchoringTiming> } = {},
): Opened {
  const lines: DiagnosticsLine[] = []
  const clock = createFakeClock()
  const anchoring = createAnchoring({
    store: more.store ?? log.store,
    anchors,
    clock,
    diagnostics: recordDiagnostics(lines),
    policy: log.policy,
    timing: { ...QUICK, ...more.timing },
  })
  onTestFinished(() => anchoring.stop())
  return { anchoring, lines, clock }
}

async function witnessFor(
  log: DatabaseLog,
  meddle?: (answer: WitnessAnswer) => WitnessAnswer | Promise<WitnessAnswer>,
) {
  const { origin, logKeys } = log.policy(1)
  const witness = await openWitness({ logs: { [origin]: logKeys }, ...(meddle && { meddle }) })
  return { origin, witness, anchor: witnessAnchor(witness) }
}

function witnessAnchor({ url, key }: WitnessServer): Anchor {
  return createWitnessAnchor({ name: 'witness', url, keys: [key] })
}

async function sizesIn(path: string): Promise<number[]> {
  const sizes: number[] = []
  for await (const { checkpoint } of readAnchorFile(path)) sizes.push(checkpoint.size)
  return sizes
}

const states = (anchoring: Anchoring): [string, number][] =>
  anchoring.status().map(({ name, state, size }) => [`${name} ${state}`, size])

const stateOf = ({ anchoring }: Opened, name: string): AnchorStatus =>
  anchoring.status().find((status) => status.name === name)!

/** In the memory of the test, and under its control; what is not under test here are the places themselves. */
function memoryAnchor(name: string, put: (published: Published, signal: AbortSignal) => Promise<void> | void): Anchor {
  return {
    name,
    async put(published, signal) {
      await put(published, signal)
      return {}
    },
  }
}

describe.each(availableEngines)('anchoring on $name', (engine) => {
  test('hands each checkpoint to a witness, and with its signature to the database and to the others', async () => {
    const log = await openDatabaseLog(engine)
    const path = join(newFolder(), 'anchors')
    const { witness, anchor, origin } = await witnessFor(log)
    const { anchoring, lines, clock } = open(log, [createFileAnchor({ name: 'file', path }), anchor])
    // The third tree needs tiles of the level above the entries for its proofs.
    for (const entries of [3, 400, 1]) {
      anchoring.publish(await log.publish(entries))
      await anchoring.flush()
    }
    expect(witness.head(origin).size).toBe(404)
    expect(witness.requests.map((body) => body.split('\n')[0])).toEqual(['old 0', 'old 3', 'old 403'])
    const policy = { ...log.policy(1), witnesses: [witness.key], quorum: 1 }
    const rows = await log.checkpoints()
    expect(rows.map(({ note }) => openCheckpoint(note, policy).checkpoint.size)).toEqual([3, 403, 404])
    const kept: string[] = []
    for await (const { note } of readAnchorFile(path)) kept.push(note)
    expect(kept).toEqual(rows.map(({ note }) => note))
    expect(states(anchoring)).toEqual([
      ['file current', 404],
      ['witness current', 404],
    ])
    const row = { epoch: 1, size: 404, anchored_at: clock.now(), failed_at: null, failure: null }
    expect((await log.anchors()).map(plain)).toEqual([
      { name: 'file', ...row },
      { name: 'witness', ...row },
    ])
    expect(lines).toEqual([])
  })

  test('goes on with the others while one is away, warns once, and catches up when it is back', async () => {
    const log = await openDatabaseLog(engine)
    const folder = newFolder()
    const [there, away] = [join(folder, 'there'), join(folder, 'away')]
    const gate = join(folder, 'gate')
    const keep = 'test -e "$1" || { echo "not yet" >&2; exit 3; }; cat >> "$2"; echo >> "$2"'
    const opened = open(log, [
      createFileAnchor({ name: 'file', path: there }),
      createCommandAnchor({ name: 'command', program: '/bin/sh', args: ['-c', keep, 'sh', gate, away] }),
    ])
    for (const entries of [1, 1, 1]) {
      opened.anchoring.publish(await log.publish(entries))
      await opened.anchoring.flush()
    }
    await until('it was tried again', async () => stateOf(opened, 'command').state === 'failing')
    expect(await sizesIn(there)).toEqual([1, 2, 3])
    expect((await log.anchors()).map(plain)).toEqual([
      {
        name: 'command',
        epoch: 0,
        size: 0,
        anchored_at: null,
        failed_at: opened.clock.now(),
        failure: 'The program ended with status 3: not yet',
      },
      expect.objectContaining({ name: 'file', size: 3 }),
    ])
    writeFileSync(gate, '')
    await until('it has caught up', async () => stateOf(opened, 'command').state === 'current')
    expect(await sizesIn(away)).toEqual([3])
    expect(opened.lines).toEqual([
      {
        level: 'warn',
        fields: { anchor: 'command', failure: 'The program ended with status 3: not yet' },
        message: 'An anchor does not keep checkpoints of the log. It is tried again.',
      },
      {
        level: 'info',
        fields: { anchor: 'command' },
        message: 'An anchor keeps checkpoints of the log again.',
      },
    ])
    await until('it is written down', async () => (await log.anchors())[0]?.failure === null)
  })

  test('hands the newest to those that were behind when the process before ended', async () => {
    const log = await openDatabaseLog(engine)
    const folder = newFolder()
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    const before = open(log, [createFileAnchor({ name: 'first', path: first })])
    before.anchoring.publish(await log.publish(1))
    await before.anchoring.flush()
    await before.anchoring.stop()
    await log.publish(1)
    const newest = await log.publish(1)

    const both = [first, second].map((path, at) => createFileAnchor({ name: at === 0 ? 'first' : 'second', path }))
    const after = open(log, both, { store: await log.another() })
    await after.anchoring.flush()
    expect([await sizesIn(first), await sizesIn(second)]).toEqual([[1, 3], [3]])

    let asked = 0
    const count = (): void => {
      asked += 1
    }
    const counted = both.map((anchor) => memoryAnchor(anchor.name, () => count()))
    const later = open(log, counted)
    await later.anchoring.flush()
    expect(states(later.anchoring)).toEqual([
      ['first current', newest.size],
      ['second current', newest.size],
    ])
    expect(asked).toBe(0)
    expect([before, after, later].flatMap(({ lines }) => lines)).toEqual([])
  })

  test('hands on nothing out of the database that the log has not signed', async () => {
    const log = await openDatabaseLog(engine)
    const path = join(newFolder(), 'anchors')
    await log.publish(1)
    await log.forge()
    const { anchoring, lines } = open(log, [createFileAnchor({ name: 'file', path })])
    await anchoring.flush()
    await expect(sizesIn(path)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(lines).toEqual([
      {
        level: 'error',
        fields: { code: 'ERR_NOTE_SIGNATURE' },
        message:
          'The newest published checkpoint in the database is not one of this log. It is not handed to the anchors.',
      },
    ])
  })

  test('raises an alarm when a witness has another history, once, and is not quiet after a restart', async () => {
    const log = await openDatabaseLog(engine)
    const path = join(newFolder(), 'anchors')
    const { witness, anchor, origin } = await witnessFor(log)
    witness.setHead(origin, { size: 50, rootHash: new Uint8Array(32) })
    const opened = open(log, [anchor, createFileAnchor({ name: 'file', path })])
    for (const entries of [49, 1, 1]) {
      opened.anchoring.publish(await log.publish(entries))
      await opened.anchoring.flush()
    }
    const message =
      'An anchor has another history of the log: the database was rolled back or rewritten, or somebody else signs with the key of the log.'
    const failure = 'The witness has signed a checkpoint of size 50, and this log has 49.'
    expect(opened.lines).toEqual([{ level: 'error', fields: { anchor: 'witness', failure }, message }])
    expect(stateOf(opened, 'witness')).toMatchObject({
      state: 'forked',
      size: 0,
      failure: 'This log does not continue the one of size 50 that the witness has signed.',
    })
    expect(await sizesIn(path)).toEqual([49, 50, 51])
    await opened.anchoring.stop()

    const after = open(log, [witnessAnchor(witness)])
    await after.anchoring.flush()
    expect(after.lines).toMatchObject([{ level: 'error', message }])
  })

  test('that was overtaken by another process is no alarm', async () => {
    const log = await openDatabaseLog(engine)
    const { witness, anchor, origin } = await witnessFor(log)
    const slow = await log.publish(2)
    const quick = await log.publish(2)
    const other = open(log, [witnessAnchor(witness)], { store: await log.another() })
    other.anchoring.publish(quick)
    await other.anchoring.flush()

    const opened = open(log, [anchor])
    opened.anchoring.publish(slow)
    await opened.anchoring.flush()
    expect(witness.head(origin).size).toBe(4)
    expect(opened.lines).toEqual([])
    expect(stateOf(opened, 'witness')).toMatchObject({ state: 'current', size: 4 })
  })

  test('does not wait long for a witness, and adds its signature when it comes', async () => {
    const log = await openDatabaseLog(engine)
    const path = join(newFolder(), 'anchors')
    let answer = (): void => undefined
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { anchor } = await witnessFor(log, async (given) => {
      await held
      return given
    })
    const opened = open(log, [anchor, createFileAnchor({ name: 'file', path })], { timing: { witnesses: 50 } })
    opened.anchoring.publish(await log.publish(1))
    await until('the file has it', async () => stateOf(opened, 'file').state === 'current')
    expect(stateOf(opened, 'witness').state).toBe('behind')
    answer()
    await opened.anchoring.flush()
    const [row] = await log.checkpoints()
    expect(parseNote(row!.note).signatures).toHaveLength(2)
    for await (const { note } of readAnchorFile(path)) expect(parseNote(note).signatures).toHaveLength(1)
  })

  test('keeps anchors going while the database cannot be written', async () => {
    const log = await openDatabaseLog(engine)
    const path = join(newFolder(), 'anchors')
    const store = await log.another()
    const opened = open(log, [createFileAnchor({ name: 'file', path })], { store })
    await opened.anchoring.flush()
    const published = [await log.publish(1), await log.publish(1)]
    await store.close()
    for (const each of published) {
      opened.anchoring.publish(each)
      await opened.anchoring.flush()
    }
    expect(await sizesIn(path)).toEqual([1, 2])
    expect(opened.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn How far the anchors of the log are could not be written down.',
    ])
  })
})

const [sqlite] = availableEngines

describe('anchoring', () => {
  test('has one attempt at a time, and the newest replaces what waits', async () => {
    const log = await openDatabaseLog(sqlite!)
    const seen: number[] = []
    let [running, most] = [0, 0]
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { anchoring } = open(log, [
      memoryAnchor('slow', async ({ checkpoint }) => {
        running += 1
        most = Math.max(most, running)
        seen.push(checkpoint.size)
        await held
        running -= 1
      }),
    ])
    const published = [await log.publish(1), await log.publish(1), await log.publish(1), await log.publish(1)]
    await anchoring.flush()
    for (const each of published) anchoring.publish(each)
    await until('the first is on its way', async () => seen.length > 0)
    // One that is older than what was published is nothing new.
    anchoring.publish(published[0]!)
    release()
    await anchoring.flush()
    expect(most).toBe(1)
    expect(seen.length).toBeLessThan(3)
    expect(seen.at(-1)).toBe(4)
  })

  test('tries less and less often', async () => {
    const log = await openDatabaseLog(sqlite!)
    const times: number[] = []
    const refusing = memoryAnchor('refusing', () => {
      times.push(performance.now())
      throw new AnchorError('no')
    })
    const { anchoring } = open(log, [refusing], { timing: { retry: [40, 100_000] } })
    anchoring.publish(await log.publish(1))
    await until('five attempts', async () => times.length >= 5)
    const waits = times.slice(1).map((time, at) => time - times[at]!)
    // Between half and the whole of 40, 80, 160 and 320 ms; timers come late, never early.
    for (const [at, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(20 * 2 ** at - 2)
    for (let at = 0; at < 10; at++) anchoring.publish(await log.publish(1))
    expect(times.length).toBeLessThanOrEqual(6)
  })

  test.each<[string, () => unknown, RegExp]>([
    ['its own words', () => new AnchorError('the disk is full'), /^the disk is full$/],
    [
      'a password in a URL',
      () => new Error("unable to access 'https://anna:p@ss@git.example/x': 403"),
      /^unable to access 'https:\/\/…@git\.example\/x': 403$/,
    ],
    ['control characters', () => new Error('a\u001b[2Jb\nc\u202ed'), /^a \[2Jb c d$/],
    ['too many words', () => new Error('x'.repeat(5000)), /^x{500}$/],
    ['no error', () => 'a string', /^a string$/],
    ['no proof', () => new AnchorForkError('another history'), /^another history$/],
  ])('tells a failure with %s safely', async (_what, thrown, wanted) => {
    const log = await openDatabaseLog(sqlite!)
    const opened = open(log, [
      memoryAnchor('broken', () => {
        throw thrown()
      }),
    ])
    opened.anchoring.publish(await log.publish(1))
    await opened.anchoring.flush()
    expect(stateOf(opened, 'broken').failure).toMatch(wanted)
    const [row] = await log.anchors()
    expect(row?.failure).toMatch(wanted)
    expect(opened.lines[0]!.fields).toMatchObject({ failure: expect.stringMatching(wanted) })
  })

  test('ends an attempt that takes too long, and its own end does not wait for one that hangs', async () => {
    const log = await openDatabaseLog(sqlite!)
    const aborted: string[] = []
    const opened = open(
      log,
      [
        memoryAnchor('slow', (_published, signal) => {
          return new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              aborted.push('slow')
              reject(new AnchorError('too slow'))
            })
          })
        }),
        memoryAnchor('deaf', () => new Promise(() => undefined)),
      ],
      { timing: { limit: 50, retry: [100_000, 100_000] } },
    )
    opened.anchoring.publish(await log.publish(1))
    await until('the time is over', async () => stateOf(opened, 'slow').state === 'failing')
    expect(aborted).toEqual(['slow'])
    const begun = performance.now()
    await opened.anchoring.stop()
    expect(performance.now() - begun).toBeLessThan(5000)
    opened.anchoring.publish(await log.publish(1))
    await opened.anchoring.flush()
    expect(stateOf(opened, 'slow').size).toBe(0)
  })

  test('without anchors does nothing', async () => {
    const log = await openDatabaseLog(sqlite!)
    const { anchoring, lines } = open(log, [])
    anchoring.publish(await log.publish(1))
    await anchoring.flush()
    expect([anchoring.status(), lines, await log.anchors()]).toEqual([[], [], []])
  })
})

/** Numbers as numbers, whatever the driver makes of them. */
function plain(row: { anchored_at: unknown; failed_at: unknown; epoch: unknown; size: unknown }): object {
  const toNumber = (value: unknown): number | null => (value === null ? null : Number(value))
  return {
    ...row,
    epoch: toNumber(row.epoch),
    size: toNumber(row.size),
    anchored_at: toNumber(row.anchored_at),
    failed_at: toNumber(row.failed_at),
  }
}
