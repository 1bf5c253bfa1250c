import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openLogDirectory } from '../../src/cli/exported-log/log-directory.ts'
import { type DirectoryReport, verifyDirectory } from '../../src/cli/exported-log/verify-directory.ts'
import { parseVerifierKeys } from '../../src/log/exported/epoch-keys.ts'
import { type ExportReport, exportTiles } from '../../src/log/exported/export-tiles.ts'
import { formatCheckpoint, openCheckpoint, parseCheckpoint } from '../../src/proof/checkpoint.ts'
import { parseNote, signNote } from '../../src/proof/note.ts'
import { formatVerifierKey, generateLogKey, parseSigningKey } from '../../src/proof/note-key.ts'
import { formatBundlePath } from '../../src/proof/tile.ts'
import { fillLog } from '../log/fill-log.ts'
import { allPublished, KEY } from '../log/sign-log.ts'
import { availableEngines, findEngine } from '../support/engines.ts'
import { openGate, openOwnGate, type TestGate } from '../support/gate.ts'
import { buildIndependentVerifiers } from '../support/independent-verifiers.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 240_000 })

const VKEY = formatVerifierKey(KEY.verifierKey)
const work = mkdtempSync(join(tmpdir(), 'gatebook-exported-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))
let folders = 0
const newFolder = (): string => join(work, `log-${++folders}`)

function exportTo({ gate }: Pick<TestGate, 'gate'>, folder: string): Promise<ExportReport> {
  const context = { actor: { kind: 'system', id: 'cli' } } as const
  return exportTiles(gate.log, openLogDirectory(folder), { context })
}

function verify(folder: string, notes: readonly string[] = [], vkey = VKEY): Promise<DirectoryReport> {
  const named = notes.map((note, at) => ({ name: `note ${at}`, note }))
  return verifyDirectory(openLogDirectory(folder), { keys: parseVerifierKeys(vkey), notes: named })
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()
}

/** Where a folder is not what was signed, in one line each. */
async function wrongIn(folder: string, notes: readonly string[] = []): Promise<string[]> {
  return (await verify(folder, notes)).findings.map(({ where, says }) => `${where}: ${says}`)
}

/** A copy of a folder with something changed, and what is said of it. */
async function changed(folder: string, change: (copy: string) => void): Promise<string[]> {
  const copy = newFolder()
  cpSync(folder, copy, { recursive: true })
  change(copy)
  return wrongIn(copy)
}

function flip(path: string, at = 10): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 1
  writeFileSync(path, bytes)
}

describe.each(availableEngines)('an export on $name', (engine) => {
  let on: TestGate
  const folder = newFolder()
  beforeAll(async () => {
    on = await openGate(engine)
  })
  afterAll(() => on.close())

  test('is refused before anything was published', async () => {
    const own = await openOwnGate(engine, { logSigning: 'off' })
    await expect(exportTo(own, newFolder())).rejects.toMatchObject({ code: 'ERR_LOG_UNPUBLISHED' })
  })

  test('has the entries, the tiles and the key, and verifies', async () => {
    await fillLog(on, 300)
    const size = await allPublished(on)
    expect(await exportTo(on, folder)).toMatchObject({ size, from: 0, first: 0, origin: KEY.name })
    expect(listFiles(folder).filter((name) => !name.startsWith('checkpoints/'))).toEqual([
      'checkpoint',
      'tile/0/000',
      `tile/0/001.p/${size - 256}`,
      'tile/1/000.p/1',
      'tile/entries/000',
      `tile/entries/001.p/${size - 256}`,
      'vkey',
    ])
    expect(readFileSync(join(folder, 'vkey'), 'utf8')).toBe(`${VKEY}\n`)
    expect(await verify(folder)).toMatchObject({ origin: KEY.name, size, entries: size, first: 0, findings: [] })
    const [exported] = (await on.gate.log.search({ type: 'log.exported' })).items
    expect(exported).toMatchObject({
      actor: { kind: 'system', id: 'cli' },
      data: { format: 'tiles', first: 0, entries: size },
    })
  })

  test('that is repeated adds what is new, and leaves what is there alone', async () => {
    await fillLog(on, 300)
    const size = await allPublished(on)
    const before = statSync(join(folder, 'tile/entries/000')).mtimeMs
    expect(await exportTo(on, folder)).toMatchObject({ size, from: 256 })
    expect(statSync(join(folder, 'tile/entries/000')).mtimeMs).toBe(before)
    expect(listFiles(folder).filter((name) => name.startsWith('tile/'))).toEqual([
      'tile/0/000',
      'tile/0/001',
      `tile/0/002.p/${size - 512}`,
      'tile/1/000.p/2',
      'tile/entries/000',
      'tile/entries/001',
      `tile/entries/002.p/${size - 512}`,
    ])
    const report = await verify(folder)
    expect(report.findings).toEqual([])
    expect(report.checkpoints).toBeGreaterThan(0)
    expect(await exportTo(on, folder)).toMatchObject({ size, from: size })
    // The same as in one go.
    const whole = newFolder()
    await exportTo(on, whole)
    expect(listFiles(whole)).toEqual(listFiles(folder))
    for (const name of listFiles(whole))
      expect(readFileSync(join(whole, name))).toEqual(readFileSync(join(folder, name)))
  })

  test('that was interrupted goes on where it was', async () => {
    const broken = newFolder()
    const directory = openLogDirectory(broken)
    let left = 4
    const failing = {
      ...directory,
      write: (...args: Parameters<typeof directory.write>) =>
        left-- > 0 ? directory.write(...args) : Promise.reject(new Error('the power is gone')),
    }
    await expect(exportTiles(on.gate.log, failing, { context: {} })).rejects.toThrow('the power is gone')
    writeFileSync(join(broken, '.writing-0123456789abcdef'), 'half a')
    expect(existsSync(join(broken, 'checkpoint'))).toBe(false)
    expect(await exportTo(on, broken)).toMatchObject({ from: 512 })
    expect(await wrongIn(broken)).toEqual([])
  })

  test('writes no checkpoint that the entries do not give, and none into the folder of another log', async () => {
    const { kysely } = on.direct
    const row = await kysely
      .selectFrom('gatebook_entry')
      .selectAll()
      .where('log_index', '=', 300)
      .executeTakeFirstOrThrow()
    const leaf = Buffer.from(Buffer.from(row.leaf).toString().replace('"number":', '"numbeR":'))
    await kysely.updateTable('gatebook_entry').set({ leaf }).where('log_index', '=', 300).execute()
    try {
      const tampered = newFolder()
      await expect(exportTo(on, tampered)).rejects.toMatchObject({ code: 'ERR_LOG_TAMPERED' })
      expect(existsSync(join(tampered, 'checkpoint'))).toBe(false)
    } finally {
      await kysely.updateTable('gatebook_entry').set({ leaf: row.leaf }).where('log_index', '=', 300).execute()
    }
    const foreign = newFolder()
    cpSync(folder, foreign, { recursive: true })
    const other = parseSigningKey(generateLogKey('log.example/other').signingKey)
    const { origin: _, ...head } = openCheckpoint(readFileSync(join(folder, 'checkpoint'), 'utf8'), {
      origin: KEY.name,
      logKeys: [KEY.verifierKey],
    }).checkpoint
    writeFileSync(join(foreign, 'checkpoint'), signNote(formatCheckpoint({ ...head, origin: other.name }), other))
    await expect(exportTo(on, foreign)).rejects.toMatchObject({ code: 'ERR_EXPORT_REFUSED' })
    const strange = newFolder()
    cpSync(folder, strange, { recursive: true })
    writeFileSync(join(strange, 'notes.txt'), '')
    await expect(exportTo(on, strange)).rejects.toMatchObject({
      code: 'ERR_EXPORT_REFUSED',
      detail: expect.stringContaining('notes.txt'),
    })
  })

  test('of a log whose history was rewritten, with the key, does not go on in the folder of before', async () => {
    const copy = newFolder()
    cpSync(folder, copy, { recursive: true })
    const head = { origin: KEY.name, size: 400, rootHash: new Uint8Array(32).fill(1) }
    writeFileSync(join(copy, 'checkpoint'), signNote(formatCheckpoint(head), KEY))
    await expect(exportTo(on, copy)).rejects.toMatchObject({
      code: expect.stringMatching(/ERR_LOG_TAMPERED|ERR_EXPORT_REFUSED/),
    })
  })
})

describe('what is wrong with a folder', () => {
  let on: TestGate
  let size: number
  const folder = newFolder()
  beforeAll(async () => {
    on = await openGate(findEngine('sqlite')!)
    await fillLog(on, 300)
    await allPublished(on)
    await fillLog(on, 300)
    size = await allPublished(on)
    await exportTo(on, folder)
  })
  afterAll(() => on.close())

  test('is said, with the file or the entry', async () => {
    expect(await changed(folder, (copy) => flip(join(copy, 'tile/0/001')))).toEqual([
      expect.stringMatching(/^tile\/0\/001: A hash of the tile is not that of the entries below it\..*hash 0/),
    ])
    expect(await changed(folder, (copy) => flip(join(copy, 'tile/1/000.p/2'), 40))).toEqual([
      expect.stringMatching(/^tile\/1\/000\.p\/2: .*hash 1/),
    ])
    const edited = await changed(folder, (copy) => flip(join(copy, 'tile/entries/001'), 20))
    expect(edited).toContainEqual(expect.stringMatching(/^tile\/0\/001: .*hash 0/))
    expect(edited).toContainEqual(expect.stringMatching(/^checkpoint: the first \d+ entries do not give the root/))
    expect(await changed(folder, (copy) => rmSync(join(copy, 'tile/entries/001')))).toEqual([
      'tile/entries/001: is missing',
      'checkpoint: cannot be compared: entries are missing from 256 on',
    ])
    expect(await changed(folder, (copy) => rmSync(join(copy, 'tile/0/000')))).toEqual(['tile/0/000: is missing'])
    expect(await changed(folder, (copy) => writeFileSync(join(copy, 'tile/0/note'), ''))).toEqual([
      'tile/0/note: does not belong there',
    ])
    expect(await changed(folder, (copy) => cpSync(join(copy, 'tile/0/000'), join(copy, 'tile/0/009')))).toEqual([
      expect.stringMatching(/^tile\/0\/009: is not part of a log of/),
    ])
    expect(await changed(folder, (copy) => flip(join(copy, 'checkpoint'), 40))).toEqual([
      expect.stringMatching(/^checkpoint: (A signature by a key that is known is wrong|The text is not|The note)/),
    ])
    const [older] = listFiles(folder).filter((name) => name.startsWith('checkpoints/'))
    expect(await changed(folder, (copy) => flip(join(copy, older!), 40))).toEqual([
      expect.stringMatching(/^checkpoints\/\d+: /),
    ])
    expect(await changed(folder, (copy) => cpSync(join(copy, older!), join(copy, 'checkpoints/7')))).toEqual([
      expect.stringMatching(/^checkpoints\/7: holds the checkpoint of .* whose place is checkpoints\/\d+/),
    ])
  })

  test.skipIf(process.platform === 'win32')('is said of what has no end, and of files that are too long', async () => {
    const unending = newFolder()
    cpSync(folder, unending, { recursive: true })
    for (const name of ['tile/0/000', 'vkey', 'checkpoint', 'tile/entries/000']) {
      const path = join(unending, name)
      const whole = readFileSync(path)
      rmSync(path)
      execFileSync('mkfifo', [path])
      await expect(openLogDirectory(unending).read(name)).rejects.toMatchObject({ code: 'ERR_FILE' })
      rmSync(path)
      symlinkSync('/dev/zero', path)
      await expect(openLogDirectory(unending).read(name)).rejects.toMatchObject({ code: 'ERR_FILE' })
      rmSync(path)
      writeFileSync(path, whole)
      // The disk holds none of it, and memory must not either.
      truncateSync(path, 3_000_000_000)
      const bytes = await openLogDirectory(unending).read(name)
      expect(bytes!.length, name).toBeLessThan(20_000_000)
      // The key is read by whoever calls.
      if (name !== 'vkey') expect((await wrongIn(unending)).length, name).toBeGreaterThan(0)
      writeFileSync(path, whole)
    }
    expect(await wrongIn(unending)).toEqual([])
  })

  test('is found in every file, whatever bit is flipped', async () => {
    for (const name of listFiles(folder)) {
      if (name === 'vkey') continue
      const { length } = readFileSync(join(folder, name))
      for (const at of [0, Math.floor(length / 2), length - 2]) {
        expect(await changed(folder, (copy) => flip(join(copy, name), at)), `${name} at ${at}`).not.toEqual([])
      }
    }
  })

  test('is said of checkpoints from elsewhere: another root, another log, more entries', async () => {
    const sign = (head: { size: number; origin?: string }) =>
      signNote(formatCheckpoint({ origin: KEY.name, rootHash: new Uint8Array(32), ...head }), KEY)
    const [older] = listFiles(folder).filter((name) => name.startsWith('checkpoints/'))
    expect(await wrongIn(folder, [readFileSync(join(folder, older!), 'utf8')])).toEqual([])
    expect(await wrongIn(folder, [sign({ size: 100 })])).toEqual([
      'note 0: the first 100 entries do not give the root that was signed',
    ])
    expect(await wrongIn(folder, [sign({ size: size + 1 })])).toEqual([
      expect.stringMatching(
        /^note 0: covers \d+ entries, and the folder has \d+: it was exported before, or the log was cut short/,
      ),
    ])
    expect(await wrongIn(folder, [sign({ size: 100, origin: 'log.example/other' })])).toEqual([
      expect.stringMatching(/^note 0: /),
    ])
    const other = formatVerifierKey(parseSigningKey(generateLogKey(KEY.name).signingKey).verifierKey)
    expect((await verify(folder, [], other)).findings).toMatchObject([
      { where: 'checkpoint', code: 'ERR_NOTE_UNSIGNED' },
    ])
  })
})

/** As a backup would have it that was made when the log had `size` entries. The gate has to be closed. */
async function restoreBackup({ direct: { kysely } }: TestGate, size: number): Promise<void> {
  const lost = await kysely.selectFrom('gatebook_entry').select('event_id').where('log_index', '>=', size).execute()
  const ids = lost.map(({ event_id: id }) => id)
  await kysely.deleteFrom('gatebook_event').where('id', 'in', ids).execute()
  await kysely.deleteFrom('gatebook_entry').where('log_index', '>=', size).execute()
  await kysely.deleteFrom('gatebook_checkpoint').where('size', '>', size).execute()
  await kysely.updateTable('gatebook_log_state').set({ size }).execute()
}

describe.each(availableEngines)('an export of a log on $name that went on after a backup was restored', (engine) => {
  const independent = buildIndependentVerifiers()
  afterAll(() => independent.remove())

  test('has the checkpoints of both epochs and verifies with the key of the first', async () => {
    const on = await openOwnGate(engine)
    await fillLog(on, 300)
    const kept = await allPublished(on)
    const folder = newFolder()
    await exportTo(on, folder)
    const ahead = newFolder()
    await fillLog(on, 10)
    await allPublished(on)
    await exportTo(on, ahead)
    const lost = (await on.gate.log.checkpoint()).published!.note
    // The export leaves an event, which a signer that was quick enough has published as well.
    const before = parseCheckpoint(parseNote(lost).text).size
    await on.gate.close()
    await restoreBackup(on, kept)
    const operator = await on.another({ attach: true })
    expect(await operator.log.recover()).toMatchObject({ epoch: 2, size: kept })
    await operator.close()

    const again = { ...on, gate: await on.another() }
    await fillLog(again, 300)
    const size = await allPublished(again)
    const origin = `${KEY.name}/e2`
    const fresh = newFolder()
    expect(await exportTo(again, fresh)).toMatchObject({ origin, size, from: 0 })
    expect(listFiles(fresh)).toContain(`earlier/e1/${kept}`)
    const keys = readFileSync(join(fresh, 'vkey'), 'utf8')
    expect(keys).toMatch(/^(\S+)\+[0-9a-f]{8}\+(\S+)\n\1\/e2\+[0-9a-f]{8}\+\2\n$/)
    expect(keys.startsWith(`${VKEY}\n`)).toBe(true)

    // A folder from before goes on, in the form of a new one.
    expect(await exportTo(again, folder)).toMatchObject({ origin, from: 256 })
    for (const each of [fresh, folder]) {
      const report = await verify(each)
      expect(report).toMatchObject({ origin, findings: [] })
      const accepted = {
        status: 0,
        output: `verified ${report.size} entries and ${report.checkpoints + 1} checkpoints of ${origin}\n`,
      }
      for (const said of Object.values(await independent.verify(each, VKEY))) expect(said).toEqual(accepted)
    }
    const earlier = (path: string): string[] => listFiles(path).filter((name) => name.startsWith('earlier/'))
    expect(earlier(folder)).toEqual(earlier(fresh))

    expect(await changed(fresh, (copy) => flip(join(copy, `earlier/e1/${kept}`), 40))).not.toEqual([])
    expect(
      await changed(fresh, (copy) => cpSync(join(copy, `earlier/e1/${kept}`), join(copy, `checkpoints/${kept}`))),
    ).toEqual([expect.stringMatching(/^checkpoints\/\d+: holds the checkpoint of .* whose place is earlier\/e1\/\d+/)])
    // What was lost is told by whoever has kept a checkpoint of it, and nothing in its folder is written over.
    expect(await verify(fresh, [lost])).toMatchObject({
      findings: [],
      lost: [
        {
          where: 'note 0',
          says: `covers ${before} entries of epoch 1, of which those from ${kept} on were lost: a backup was restored, and log.epoch tells of it`,
        },
      ],
    })
    // The same of what the backup had is a forgery: another history of one size.
    const other = formatCheckpoint({ ...parseCheckpoint(parseNote(lost).text), size: kept })
    expect(await wrongIn(fresh, [signNote(other, KEY)])).toEqual([
      expect.stringMatching(/^note 0: the first \d+ entries are not those that were signed in epoch 1/),
    ])
    const contents = (): Map<string, string> =>
      new Map(listFiles(ahead).map((name) => [name, readFileSync(join(ahead, name), 'hex')]))
    const evidence = contents()
    await expect(exportTo(again, ahead)).rejects.toMatchObject({ code: 'ERR_EXPORT_REFUSED' })
    const left = contents()
    for (const [name, bytes] of evidence) expect([name, left.get(name)]).toEqual([name, bytes])
  })
})

describe('a log of 70,000 entries', () => {
  const independent = buildIndependentVerifiers()
  afterAll(() => independent.remove())

  test.skipIf(independent.missing.length > 0 && process.env.CI === undefined)(
    'is accepted as it was exported by Go and by Python, and is pruned',
    async () => {
      const days = { networkDays: 30, adminNetworkDays: 30, mediumVolumeDays: 30, lowVolumeDays: 30 }
      const on = await openOwnGate(findEngine('sqlite')!, { ...days, highVolumeDays: 30, adminEventDays: 365 })
      await fillLog(on, 40_000)
      await allPublished(on)
      const folder = newFolder()
      await exportTo(on, folder)
      await fillLog(on, 30_000)
      const size = await allPublished(on)
      await exportTo(on, folder)
      const { checkpoints, findings } = await verify(folder)
      expect(findings).toEqual([])
      const said = `verified ${size} entries and ${checkpoints + 1} checkpoints of ${KEY.name}\n`
      const accepted = { status: 0, output: said }
      expect(await independent.verify(folder, VKEY)).toEqual({ go: accepted, python: accepted })
      flip(join(folder, 'tile/entries/100'))
      const refused = { status: 1, output: expect.stringMatching(/FAILED|Error/) }
      expect(await independent.verify(folder, VKEY)).toEqual({ go: refused, python: refused })

      // What the export and the verifier make of a log whose beginning is gone.
      on.clock.advance(400 * 86_400_000)
      const { first: pruned } = await on.gate.log.prune()
      expect(pruned).toBeGreaterThan(65_536 + 512)
      const left = await allPublished(on)
      const audit = async (): Promise<string[]> => {
        const codes: string[] = []
        for await (const step of on.gate.log.audit()) if (step.kind === 'finding') codes.push(step.code)
        return codes
      }
      expect(await audit()).toEqual([])
      // What nothing is left of but its tiles.
      const { kysely } = on.direct
      const tile = kysely.selectFrom('gatebook_tile').selectAll().where('level', '=', 1).where('place', '=', 0)
      const { hashes } = await tile.executeTakeFirstOrThrow()
      const edit = (bytes: Uint8Array) =>
        kysely
          .updateTable('gatebook_tile')
          .set({ hashes: bytes })
          .where('level', '=', 1)
          .where('place', '=', 0)
          .execute()
      await edit(hashes.map((byte, at) => (at === 5000 ? byte ^ 1 : byte)))
      expect(await audit()).toContain('tile-differs')
      await edit(hashes)
      const rest = newFolder()
      expect(await exportTo(on, rest)).toMatchObject({ first: pruned, from: pruned, size: left })
      expect(await verify(rest)).toMatchObject({ first: pruned, size: left, entries: left - pruned, findings: [] })
      expect(await on.gate.log.file('tile/0/000')).toBe(null)
      expect(await on.gate.log.file(formatBundlePath({ index: pruned / 256 - 1, width: 256 }))).toBe(null)
      expect(await on.gate.log.file('tile/1/000')).not.toBe(null)
      await fillLog(on, 600)
      const more = await allPublished(on)
      expect(await exportTo(on, rest)).toMatchObject({ first: pruned, size: more })
      expect(await verify(rest)).toMatchObject({ first: pruned, size: more, findings: [] })
      expect(await changed(rest, (copy) => flip(join(copy, 'tile/1/001.p/19'), 5))).not.toEqual([])
    },
  )
})
