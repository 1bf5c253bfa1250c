import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { generateLogKey } from '../../src/proof/note-key.ts'
import { availableEngines } from '../support/engines.ts'
import { until } from '../support/gate.ts'
import { ANNA, BY_CLI, createInstallation, type Installation, PASSWORD } from './installation.ts'
import { parseLines, run, type Transcript } from './transcript.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

describe.each(availableEngines)('proofs on $name', (engine) => {
  let at: Installation
  let eventId: string
  let vkey: string
  const work = mkdtempSync(join(tmpdir(), 'gatebook-proofs-'))
  const folder = join(work, 'log')
  const receipt = join(work, 'receipt.json')

  /** Where there is neither a database nor a secret nor a key. */
  const offline = (...args: string[]): Promise<Transcript> => run(['log', 'verify', ...args], { folder: work })

  beforeAll(async () => {
    at = await createInstallation(engine, {
      GATEBOOK_CHECKPOINT_SECONDS: '1',
      GATEBOOK_ANCHORS: `file:${work}/anchors\ncommand:/bin/false`,
    })
    await at.gatebook(['user', 'add', ANNA, '--password-stdin'], PASSWORD)
    expect((await at.login(PASSWORD)).status).toBe(200)
    const { stdout } = await at.gatebook(['log', 'search', '--type', 'login.succeeded', '--json'])
    eventId = String(parseLines(stdout)[0]!.id)
    vkey = await until(
      'the log-in is published',
      async () => {
        const head = JSON.parse((await at.gatebook(['log', 'checkpoint', '--json'])).stdout)
        return head.published !== null && head.published.size === head.size ? head.verifier_keys[0] : null
      },
      60_000,
    )
  })
  afterAll(async () => {
    await at.remove()
    rmSync(work, { recursive: true })
  })

  test('checkpoint says how far the log is signed and published', async () => {
    const { status, stdout, stderr } = await at.gatebook(['log', 'checkpoint'])
    expect([status, stderr]).toEqual([0, ''])
    const [name] = vkey.split('+')
    expect(stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0[12]:00/g, 'TIME')).toMatch(
      new RegExp(
        `^log {8}${name}\\nentries {4}\\d+\\nsigned {5}\\d+ entries, TIME \\(\\d+ s ago\\)\\npublished {2}\\d+ entries, TIME \\(\\d+ s ago\\)\\nroot {7}\\S{44}\\nanchor {5}\\S*false\\S* has nothing; failed \\d+ s ago: .*\\nanchor {5}\\S*anchors\\S* has \\d+ entries, since TIME \\(\\d+ s ago\\)\\nkey {8}${name}\\+`,
      ),
    )
    const { anchors } = JSON.parse((await at.gatebook(['log', 'checkpoint', '--json'])).stdout)
    expect(anchors).toEqual([
      expect.objectContaining({ epoch: null, size: null, anchored_at: null, failure: expect.any(String) }),
      expect.objectContaining({ epoch: 1, size: expect.any(Number), failed_at: null, failure: null }),
    ])
  })

  test('a receipt is taken, which leaves an event, and checked with the key alone', async () => {
    const taken = await at.gatebook(['log', 'prove', eventId, '--out', receipt])
    expect(taken).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(
        /^Entry \d+ of \d+ is proved in \S+\. Check it: gatebook log verify \S+ --key VKEY\n$/,
      ),
    })
    expect(await at.eventsOf('--type', 'log.exported')).toEqual([{ type: 'log.exported', reason: null, actor: BY_CLI }])

    const { status, stdout, stderr } = await offline(receipt, '--key', vkey)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      new RegExp(
        `^event {4}${eventId} {2}login\\.succeeded success, .*\\nopening {2}id {2}\\{.*"identifier":"anna@example.org".*\\}\\nopening {2}net {2}\\{"ip":.*\\}\\nThe receipt is right: entry \\d+ of the \\d+ that \\S+ has signed\\.\\n$`,
      ),
    )
    writeFileSync(join(work, 'key'), `${vkey}\n`)
    const told = JSON.parse((await offline(receipt, '--key', join(work, 'key'), '--json')).stdout)
    expect(told).toMatchObject({ event_id: eventId, verified: true, findings: [] })
  })

  test('a receipt that was changed, or is checked with another key, proves nothing', async () => {
    const content = JSON.parse(readFileSync(receipt, 'utf8'))
    const spoilt = async (change: object, ...flags: string[]): Promise<string> => {
      const path = join(work, 'spoilt.json')
      writeFileSync(path, JSON.stringify({ ...content, ...change }))
      const { status, stdout } = await offline(path, '--key', vkey, ...flags)
      expect(status).toBe(1)
      expect(stdout).toMatch(/\n?\d findings: this receipt proves nothing\.\n$/)
      return stdout
    }
    const { id, net } = content.opening
    expect(await spoilt({ opening: { id, net: { ...net, fields: { ...net.fields, ip: '192.0.2.1' } } } })).toContain(
      'FINDING  opening net  is not what the entry commits to',
    )
    expect(await spoilt({ leaf: content.leaf.replace('success', 'failure') })).toContain('its leaf_hash is not')
    expect(await spoilt({ index: content.index + 1 })).toContain('its index is not that of the proof')
    const moved = content.proof.replace(/^index \d+$/m, `index ${content.index === 0 ? 1 : content.index - 1}`)
    expect(await spoilt({ proof: moved, index: content.index === 0 ? 1 : content.index - 1 })).toContain(
      'FINDING  proof',
    )
    const resigned = content.proof.replace(/(?<=— \S+ )\S/, (first: string) => (first === 'A' ? 'B' : 'A'))
    expect(await spoilt({ proof: resigned })).toContain('FINDING  checkpoint')
    expect(await spoilt({ format: 'other' })).toContain('its format is not gatebook-receipt/v1')

    const other = generateLogKey(vkey.split('+')[0]!).verifierKey
    expect((await offline(receipt, '--key', other)).stdout).toContain('no signature by a key that is known')
    expect((await offline(receipt, '--key', other)).status).toBe(1)
  })

  test('a receipt in the form of C2SP is checked with the entry', async () => {
    const { status, stdout } = await at.gatebook(['log', 'prove', eventId, '--format', 'tlog-proof'])
    expect([status, stdout.startsWith('c2sp.org/tlog-proof@v1\nindex ')]).toEqual([0, true])
    const [proof, entry] = [join(work, 'event.tlog-proof'), join(work, 'entry')]
    writeFileSync(proof, stdout)
    writeFileSync(entry, JSON.parse(readFileSync(receipt, 'utf8')).leaf)
    expect(await offline(proof, '--key', vkey, '--entry', entry)).toMatchObject({ status: 0 })
    expect((await offline(proof, '--key', vkey)).status).toBe(2)
    writeFileSync(entry, `${readFileSync(entry, 'utf8')} `)
    expect((await offline(proof, '--key', vkey, '--entry', entry)).status).toBe(1)
  })

  test('the log is exported, verified offline, and exported again', async () => {
    const exported = await at.gatebook(['log', 'export', '--tiles', folder])
    expect(exported).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/^\S+ has the entries 0 to \d+ of \S+; written from 0 on\.\n$/),
    })
    const verified = await offline(folder, '--key', vkey)
    expect([verified.status, verified.stderr]).toEqual([0, ''])
    expect(verified.stdout).toMatch(
      /^ok {7}checkpoint {2}\S+, \d+ entries, signed by [0-9a-f]{8}\nok {7}entries {2}\d+ hashed\nok {7}tiles {2}\d+ compared\n(ok {7}older {2}.*\n)?The log is what was signed: \d+ entries, root \S{44}\.\n$/,
    )
    const own = await offline(folder)
    expect([own.status, own.stderr]).toEqual([
      0,
      'The key is the one in the folder: that shows that its files belong together, not whose log it is. Give --key.\n',
    ])
    // A checkpoint that somebody has kept elsewhere.
    const kept = join(work, 'kept')
    const note = readFileSync(join(folder, 'checkpoint'), 'utf8')
    // As an anchor file is after a crash, and while the next note is being written.
    writeFileSync(kept, `${note.slice(0, 50)}\n# cut off\n\n${note}\n${note.slice(0, 50)}`)
    await until(
      'the export itself is published',
      async () => {
        const head = JSON.parse((await at.gatebook(['log', 'checkpoint', '--json'])).stdout)
        return head.published.size === head.size
      },
      60_000,
    )
    expect((await at.gatebook(['log', 'export', '--tiles', folder, '--json'])).stdout).toMatch(/"from":0,/)
    const again = JSON.parse((await offline(folder, '--key', vkey, '--checkpoint', kept, '--json')).stdout)
    expect(again).toMatchObject({ verified: true, key_from: 'given', checkpoints: expect.any(Number) })

    const bundle = readFileSync(join(folder, `tile/entries/000.p/${again.size}`))
    bundle[20]! ^= 1
    writeFileSync(join(folder, `tile/entries/000.p/${again.size}`), bundle)
    const broken = await offline(folder, '--key', vkey)
    expect(broken.status).toBe(1)
    expect(broken.stdout).toMatch(/\nFINDING {2}tile\/0\/000\.p\/\d+ {2}A hash of the tile.*hash 0\)\n/)
    expect(broken.stdout).toMatch(/\n\d findings: this is not the log that was signed\.\n$/)
  })

  test('what is wrong with the command or the files is not a finding', async () => {
    expect((await offline(join(work, 'nowhere'))).status).toBe(3)
    expect((await offline(join(work, 'nowhere'))).stderr).toMatch(
      /^gatebook: A file cannot be read or written\. There is no /,
    )
    expect((await offline(receipt)).status).toBe(2)
    expect((await offline(receipt, '--key', 'a+b')).status).toBe(2)
    expect((await offline(folder, '--entry', receipt)).status).toBe(2)
    expect((await offline(folder, '--checkpoint', join(work, 'nowhere'))).status).toBe(3)
    expect((await at.gatebook(['log', 'export'])).status).toBe(2)
    expect((await at.gatebook(['log', 'prove', eventId, '--format', 'xml'])).status).toBe(2)
    expect((await at.gatebook(['log', 'prove', 'evt_x'])).status).toBe(1)
    expect((await at.gatebook(['log', 'export', '--tiles', receipt])).status).toBe(3)
    expect(existsSync(receipt)).toBe(true)
  })
})
