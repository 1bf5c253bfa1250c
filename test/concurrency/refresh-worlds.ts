import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Gatebook, SessionTokens } from '../../src/api.ts'
import { createGatebook } from '../../src/gatebook.ts'
import { readEvents } from '../../src/testing/read-events.ts'
import { expectAgreement } from '../contract/agreement.ts'
import { type CuttableProxy, startCuttableProxy } from '../fault/cuttable-proxy.ts'
import { waitUntilAlone } from '../fault/kill-rounds.ts'
import { type ServerProcess, startServerProcess } from '../fault/server-process.ts'
import type { Engine } from '../support/engine.ts'
import { CHEAP_HASHES, dialectOf, openGate, PASSWORD } from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'
import type { Break } from './refresh-histories.ts'
import type { Answer, Asked, World } from './refresh-runner.ts'

export interface OpenWorld extends World {
  /** What the events tell has to be the state of the tables, and the log has to be whole. */
  expectAgreement(): Promise<void>
  close(): Promise<void>
}

const IDLE_SECONDS = 300
const ABSOLUTE_SECONDS = 400

/** Two gates in this process, with their own connections and one clock that stands still until it is moved. */
export async function openGateWorld(engine: Engine): Promise<OpenWorld> {
  const on = await openGate(engine, { refreshIdleSeconds: IDLE_SECONDS, refreshAbsoluteSeconds: ABSOLUTE_SECONDS })
  const gates = [on.gate, await on.another()] as const
  return {
    rules: {
      graceMilliseconds: 20_000,
      idleMilliseconds: IDLE_SECONDS * 1000,
      absoluteMilliseconds: ABSOLUTE_SECONDS * 1000,
    },
    kysely: on.direct.kysely,
    async start() {
      const anna = on.person()
      return answerOf(await on.gate.register(anna, anna.context))
    },
    clockStandsStill: true,
    now: () => on.clock.now(),
    advance: (milliseconds) => on.clock.advance(milliseconds),
    ask: (calls) => Promise.all(calls.map((call) => askGate(gates[call.process], call))),
    verify: (process, accessToken) => verifyWith(gates[process], accessToken),
    search: (sessionId) => searchWith(on.gate, sessionId),
    expectAgreement: () => expectAgreement(on),
    close: () => on.close(),
  }
}

const GRACE_SECONDS = 60
/** From then on nothing is killed any more in a history, so that it ends within the grace of its first token. */
const SLOW_MILLISECONDS = 30_000
const DAY = 86_400_000

/**
 * Process 0 is `gatebook serve` behind a stretch of network; it can be killed with its answer on the way, and is started
 * again. Process 1 is a gate in this process. The clocks are those of the machine, and nothing here is right when a
 * history takes longer than the grace of a token; so time passes in whole periods, which only process 1 gets to know of,
 * and from then on only that one is asked.
 */
export async function openServerWorld(engine: Engine): Promise<OpenWorld> {
  const database = await engine.createDatabase()
  const secret = randomBytes(32).toString('base64')
  const issuer = 'http://localhost'
  let ahead = 0
  let people = 0
  const clock = { now: () => Date.now() + ahead }
  const openedAt = Date.now()
  let startedAt = 0
  let server: ServerProcess | null = null
  let proxy: CuttableProxy | null = null
  let gate: Gatebook | null = null
  const direct = await dialectOf(database.url).connect()

  async function startServer(): Promise<void> {
    server = await startServerProcess({
      GATEBOOK_DATABASE: database.url,
      GATEBOOK_SECRET: secret,
      GATEBOOK_ISSUER: issuer,
      GATEBOOK_DIAGNOSTICS_LEVEL: 'error',
      GATEBOOK_TRUSTED_PROXIES: '127.0.0.1',
      GATEBOOK_REFRESH_GRACE_SECONDS: String(GRACE_SECONDS),
      GATEBOOK_ARGON2_MEMORY_KIB: String(CHEAP_HASHES.argon2MemoryKib),
      GATEBOOK_ARGON2_ITERATIONS: String(CHEAP_HASHES.argon2Iterations),
    })
    proxy = await startCuttableProxy('127.0.0.1', Number(new URL(server.url).port))
  }

  async function findGate(): Promise<Gatebook> {
    gate ??= await createGatebook({
      issuer,
      database: dialectOf(database.url),
      secret,
      ...signingOf(database.url),
      clock,
      refreshGraceSeconds: GRACE_SECONDS,
      sequencerMilliseconds: 20,
      revocationPollMilliseconds: 50,
      ...CHEAP_HASHES,
    })
    return gate
  }

  async function closeGate(): Promise<void> {
    await gate?.close()
    gate = null
  }

  /** The gate's connections must not be taken for those of a process that is gone. */
  async function killServer(): Promise<void> {
    await server?.kill()
    server = null
    proxy?.cut('reset')
    await proxy?.close()
    proxy = null
  }

  async function askServer({ kind, refreshToken, ip }: Asked): Promise<Answer | null> {
    return post(`http://127.0.0.1:${proxy!.port}/auth/${kind}`, { refresh_token: refreshToken }, ip)
  }

  /** Answers of the server that nobody gets to see. */
  async function askInVain(calls: readonly Asked[], broken: Break): Promise<void> {
    const wanted = broken.how === 'killed' ? Math.min(broken.answers, calls.length) : calls.length
    const held = proxy!.holdAnswers(wanted)
    const unseen = Promise.all(calls.map(askServer))
    await (broken.how === 'killed early' ? sleep(broken.milliseconds) : held)
    if (broken.how === 'cut') proxy!.cut('reset')
    else await killServer()
    if ((await unseen).some((answer) => answer !== null)) throw new Error('an answer came through a cut')
    if (broken.how === 'cut') proxy!.mend()
  }

  await startServer()
  return {
    rules: { graceMilliseconds: GRACE_SECONDS * 1000, idleMilliseconds: 14 * DAY, absoluteMilliseconds: 30 * DAY },
    kysely: direct.kysely,
    async start() {
      if (ahead > 0) await closeGate()
      ahead = 0
      startedAt = Date.now()
      people += 1
      const identifier = `anna-${people}@example.org`
      const url = `http://127.0.0.1:${proxy!.port}/auth/register`
      const answer = await post(url, { identifier, password: PASSWORD }, `2001:db8:ffff:${people.toString(16)}::1`)
      if (answer?.sessionId === undefined) throw new Error(`nobody was registered: ${answer?.code}`)
      return { ...answer, sessionId: answer.sessionId }
    },
    clockStandsStill: false,
    now: () => openedAt + ahead,
    advance(milliseconds) {
      // And the time that the history has really taken.
      if (milliseconds > 0) ahead += milliseconds + GRACE_SECONDS * 1000
    },
    async ask(calls, broken) {
      const toServer = ahead > 0 ? [] : calls.filter(({ process }) => process === 0)
      const beside = await findGate()
      const isSlow = Date.now() - startedAt > SLOW_MILLISECONDS
      const isBroken = broken !== null && toServer.length > 0 && !isSlow
      const inVain = isBroken ? askInVain(toServer, broken) : null
      const answers = await Promise.all(
        calls.map((call) => {
          if (!toServer.includes(call)) return askGate(beside, call)
          return isBroken ? null : askServer(call)
        }),
      )
      await inVain
      if (!isBroken && answers.includes(null)) throw new Error('an answer was lost by itself')
      if (server === null) {
        await closeGate()
        await waitUntilAlone(direct)
        await startServer()
      }
      return answers
    },
    async verify(process, accessToken) {
      if (process === 1) return verifyWith(await findGate(), accessToken)
      // It would take what the other one has signed for a token of the future.
      if (ahead > 0) return null
      const response = await fetch(`http://127.0.0.1:${proxy!.port}/auth/me`, {
        headers: { Authorization: `Bearer ${accessToken}` },
      })
      return response.ok ? 'no error' : ((await response.json()) as { code: string }).code
    },
    search: async (sessionId) => searchWith(await findGate(), sessionId),
    expectAgreement: () => expectAgreement({ direct, clock }),
    async close() {
      await killServer()
      await closeGate()
      await direct.close()
      await database.drop()
    },
  }
}

function answerOf({ refreshToken, accessToken, sessionId }: SessionTokens): Answer & { readonly sessionId: string } {
  return { code: 'no error', refreshToken, accessToken, sessionId }
}

async function askGate(gate: Gatebook, { kind, refreshToken, ip }: Asked): Promise<Answer> {
  const context = { ip, ipSource: 'socket' } as const
  try {
    if (kind === 'refresh') return answerOf(await gate.refresh(refreshToken, context))
    await gate.logout({ refreshToken }, context)
    return { code: 'no error' }
  } catch (error) {
    return { code: (error as { code?: string }).code ?? String(error) }
  }
}

interface WireTokens {
  readonly code?: string
  readonly refresh_token?: string
  readonly access_token?: string
  readonly session_id?: string
}

/** Null: no whole answer came. */
async function post(url: string, body: object, ip: string): Promise<(Answer & { readonly sessionId?: string }) | null> {
  let text: string
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': ip },
      body: JSON.stringify(body),
    })
    text = await response.text()
  } catch {
    return null
  }
  const { code, refresh_token, access_token, session_id } = (text === '' ? {} : JSON.parse(text)) as WireTokens
  return {
    code: code ?? 'no error',
    ...(refresh_token !== undefined && { refreshToken: refresh_token }),
    ...(access_token !== undefined && { accessToken: access_token }),
    ...(session_id !== undefined && { sessionId: session_id }),
  }
}

async function verifyWith(gate: Gatebook, accessToken: string): Promise<string> {
  try {
    await gate.tokens.verify(accessToken)
    return 'no error'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

async function searchWith(gate: Gatebook, sessionId: string): Promise<readonly string[]> {
  return (await readEvents(gate, { session: sessionId })).map(({ id }) => id)
}
