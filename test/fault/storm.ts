import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseLogKey } from '../../src/log/log-key.ts'
import { openCheckpoint } from '../../src/proof/checkpoint.ts'
import { parseDatabaseUrl } from '../../src/server/database-url.ts'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import type { Engine } from '../support/engine.ts'
import { guardOf, LOG_KEY } from '../support/log-signing.ts'
import { checkStorm } from './check-storm.ts'
import type { StormNews, StormSettings } from './storm-process.ts'

export interface StormReport {
  /** By who was killed. */
  readonly kills: Readonly<Record<string, number>>
  /** Transactions as their writers know of them. */
  readonly committed: number
  readonly rolledBack: number
  readonly events: number
  /** Different checkpoints that were seen in the guard and in the database. */
  readonly checkpoints: number
  /** From a kill to the next checkpoint over what was committed after it: milliseconds, the longest. */
  readonly longestMilliseconds: number
  readonly problems: readonly string[]
}

export interface Seen {
  readonly committed: Set<string>
  readonly rolledBack: Set<string>
  /** Roots in hex by size. */
  readonly roots: Map<number, string>
  readonly problems: string[]
}

const WRITERS = 16
const GUARD_LOOK_MILLISECONDS = 2
const PATIENCE_MILLISECONDS = 30_000
/** A kill comes after so many commits, and then at any instant. */
const COMMITS_BEFORE = { sqlite: 200, postgres: 40, mysql: 40 }
const LATEST_MILLISECONDS = 300
const KEY = parseLogKey(LOG_KEY, 'logKey')

type Role = 'writers' | 'first signer' | 'second signer' | 'everything'

/** Kills who is named, and starts them again. One signer alone is started again when the other one has taken over. */
const KILLS = {
  queued: [['first signer'], ['writers'], ['first signer', 'second signer'], ['second signer', 'writers']],
  single: [['everything']],
} as const satisfies Record<string, readonly (readonly Role[])[]>

const ROLES: Record<Role, Pick<StormSettings, 'signs' | 'writers'>> = {
  writers: { signs: false, writers: WRITERS },
  'first signer': { signs: true, writers: 0 },
  'second signer': { signs: true, writers: 0 },
  everything: { signs: true, writers: WRITERS },
}

/** Sixteen writers and two processes that sign, killed again and again; on SQLite, one process that does both. */
export async function runStorm(engine: Engine, kills: number): Promise<StormReport> {
  const database = await engine.createDatabase()
  const seen: Seen = { committed: new Set(), rolledBack: new Set(), roots: new Map(), problems: [] }
  const secret = randomBytes(32).toString('base64')
  const running = new Map<Role, ChildProcess>()
  const counts = { committed: 0, rolledBack: 0, longest: 0, kills: {} as Record<string, number> }
  let stopped = false

  async function start(role: Role): Promise<void> {
    const settings: StormSettings = { url: database.url, secret, ...ROLES[role] }
    const program = fileURLToPath(new URL('storm-process.ts', import.meta.url))
    const child = fork(program, [JSON.stringify(settings)], { execArgv: ['--import', 'tsx'] })
    running.set(role, child)
    await new Promise<void>((resolve, reject) => {
      child.on('message', (message) => {
        const news = message as StormNews
        if (news.kind === 'begun') resolve()
        if (news.kind === 'error') seen.problems.push(`${role}: ${news.message}`)
        if (news.kind === 'committed') counts.committed += 1
        if (news.kind === 'rolled-back') counts.rolledBack += 1
        const into = news.kind === 'committed' ? seen.committed : news.kind === 'rolled-back' ? seen.rolledBack : null
        if ('ids' in news) for (const id of news.ids) into?.add(id)
      })
      child.on('exit', (code) => {
        reject(new Error(`${role} did not begin`))
        if (code !== null && code !== 0) seen.problems.push(`${role} ended with ${code}`)
      })
    })
  }

  async function end(role: Role, how: 'kill' | 'stop'): Promise<void> {
    const child = running.get(role)
    if (child === undefined) return
    running.delete(role)
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null
    if (how === 'kill') child.kill('SIGKILL')
    else child.send('end')
    await exited
  }

  const first: Role[] = engine.name === 'sqlite' ? ['everything'] : ['first signer']
  const others: Role[] = engine.name === 'sqlite' ? [] : ['second signer', 'writers']
  let direct: OpenDatabase | null = null
  let watching: Promise<void> = Promise.resolve()
  try {
    // Alone, because it makes the tables.
    await Promise.all(first.map(start))
    direct = await parseDatabaseUrl(database.url).connect()
    await Promise.all(others.map(start))
    watching = watch(database.url, direct, seen, () => stopped)
    const victims = engine.name === 'sqlite' ? KILLS.single : KILLS.queued
    for (let kill = 0; kill < kills; kill++) {
      const who = victims[kill % victims.length]!
      const before = counts.committed
      await waitFor('commits', async () => counts.committed >= before + COMMITS_BEFORE[engine.name])
      await sleep(Math.random() * LATEST_MILLISECONDS)
      await Promise.all(who.map((role) => end(role, 'kill')))
      const begun = performance.now()
      const after = counts.committed
      const name = who.join(' and ')
      counts.kills[name] = (counts.kills[name] ?? 0) + 1
      const takesOver = who.length === 1 && who[0] === 'first signer'
      if (!takesOver) await Promise.all(who.map(start))
      await waitFor('a commit after a kill', async () => counts.committed > after)
      const size = await readSize(direct)
      await waitFor(`a checkpoint after ${name} was killed`, async () => Math.max(...seen.roots.keys()) > size)
      counts.longest = Math.max(counts.longest, performance.now() - begun)
      if (takesOver) await Promise.all(who.map(start))
    }
    await Promise.all((['writers', 'everything'] as const).map((role) => end(role, 'stop')))
    if (engine.name === 'sqlite') await start('first signer')
    const ended = direct
    await waitFor('everything is signed', async () => isSigned(ended, seen))
    await Promise.all([...running.keys()].map((role) => end(role, 'stop')))
    stopped = true
    await watching
    const { events, problems } = await checkStorm(direct.kysely, seen)
    return {
      ...{ kills: counts.kills, committed: counts.committed, rolledBack: counts.rolledBack, events },
      ...{ checkpoints: seen.roots.size, longestMilliseconds: counts.longest, problems },
    }
  } finally {
    stopped = true
    await watching.catch(() => {})
    await Promise.all([...running.keys()].map((role) => end(role, 'kill')))
    await direct?.close()
    await database.drop()
  }
}

/** Keeps the root of every checkpoint that shows up, and a problem for two that are not of one tree. */
async function watch(url: string, direct: OpenDatabase, seen: Seen, isOver: () => boolean): Promise<void> {
  let last = ''
  const note = (text: string): void => {
    if (text === last) return
    last = text
    const { checkpoint } = openCheckpoint(text, KEY.policy(1))
    const root = Buffer.from(checkpoint.rootHash).toString('hex')
    const known = seen.roots.get(checkpoint.size)
    if (known !== undefined && known !== root) seen.problems.push(`two roots at size ${checkpoint.size}`)
    seen.roots.set(checkpoint.size, root)
  }
  for (let look = 0; !isOver(); look++) {
    note(await readFile(guardOf(url), 'utf8'))
    if (look % 10 === 0) {
      const rows = await direct.kysely.selectFrom('gatebook_checkpoint').select('note').execute()
      for (const row of rows) note(row.note)
    }
    await sleep(GUARD_LOOK_MILLISECONDS)
  }
}

async function readSize({ kysely }: OpenDatabase): Promise<number> {
  const { size } = await kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
  return Number(size)
}

async function isSigned(direct: OpenDatabase, seen: Seen): Promise<boolean> {
  const waiting = await direct.kysely.selectFrom('gatebook_queue').select('number').limit(1).executeTakeFirst()
  return waiting === undefined && seen.roots.has(await readSize(direct))
}

async function waitFor(what: string, check: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MILLISECONDS
  while (!(await check())) {
    if (Date.now() > giveUpAt) throw new Error(`waited in vain: ${what}`)
    await sleep(5)
  }
}
