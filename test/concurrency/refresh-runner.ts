import type { Kysely } from 'kysely'
import type { Tables } from '../../src/store/tables.ts'
import { until } from '../support/gate.ts'
import { ACTORS, type Actor, type Break, type Call, type History, type Step } from './refresh-histories.ts'
import {
  type Deed,
  findSerialOrder,
  judge,
  type ObservedDeed,
  type Outcome,
  type RefreshRules,
  type SessionModel,
  startSession,
  TRACES,
} from './refresh-model.ts'

export interface Answer {
  /** `no error`, or why it was refused. */
  readonly code: string
  readonly refreshToken?: string
  readonly accessToken?: string
}

export interface Asked {
  readonly kind: 'refresh' | 'logout'
  readonly process: 0 | 1
  readonly refreshToken: string
  /** No other call comes from it, so that each event tells which call left it. */
  readonly ip: string
}

/** Two processes over one database, and a clock. */
export interface World {
  readonly rules: RefreshRules
  readonly kysely: Kysely<Tables>
  /** A session of a user who has no other. */
  start(): Promise<Answer & { readonly sessionId: string }>
  /** Whether instants can be told to the millisecond. */
  readonly clockStandsStill: boolean
  /** Milliseconds. */
  now(): number
  advance(milliseconds: number): void
  /** At the same moment. Null for an answer that did not arrive: what was asked may have happened or not. */
  ask(calls: readonly Asked[], broken: Break | null): Promise<readonly (Answer | null)[]>
  /** The code that an access token gets; null where this process cannot say. */
  verify(process: 0 | 1, accessToken: string): Promise<string | null>
  /** The ids of the events of a session as the API finds them. */
  search(sessionId: string): Promise<readonly string[]>
}

export interface Tally {
  histories: number
  calls: number
  /** Groups of two and more. */
  groups: number
  lost: number
  /** Calls that did something, and whose answer was still on its way when the connection or the process was gone. */
  unanswered: number
  events: number
  readonly breaks: Record<Break['how'], number>
  readonly outcomes: Partial<Record<Outcome, number>>
}

export interface Runner {
  readonly tally: Tally
  /** Throws an Error that tells the whole story where the model does not allow what happened. */
  run(history: History): Promise<void>
  /** What the whole log has beyond what the histories account for. */
  findStrayEvents(): Promise<readonly string[]>
}

export function createRunner(world: World): Runner {
  const tally: Tally = {
    histories: 0,
    calls: 0,
    groups: 0,
    lost: 0,
    unanswered: 0,
    events: 0,
    breaks: { killed: 0, 'killed early': 0, cut: 0 },
    outcomes: {},
  }
  /** How many events each session has. */
  const accounted = new Map<string, number>()
  return {
    tally,
    async run(history) {
      tally.histories += 1
      const story: string[] = []
      try {
        const session = await openSession(world, tally, story)
        for (const step of history.steps) {
          if (session.isLongOver()) break
          await session.take(step)
          if (history.shared) session.share()
        }
        await session.tryEverything(history.trial)
        accounted.set(session.id, await session.checkLog())
      } catch (error) {
        throw new Error([(error as Error).message, ...story].join('\n  '), { cause: error })
      }
    },

    async findStrayEvents() {
      const rows = await world.kysely
        .selectFrom('gatebook_event')
        .select((eb) => ['session_id', 'type', eb.fn.countAll<number>().as('number')])
        .groupBy(['session_id', 'type'])
        .execute()
      const found = new Map<string, number>()
      for (const { session_id: id, type, number } of rows) {
        // A server counts the access tokens that it refuses, and appends the sum when a window is over, if it still lives then.
        if (type.startsWith('key.') || type === 'token.refused') continue
        const key = id ?? type
        found.set(key, (found.get(key) ?? 0) + Number(number))
      }
      const right = new Map([...accounted, ['user.registered', accounted.size]])
      return [...new Set([...found.keys(), ...right.keys()])]
        .filter((key) => found.get(key) !== right.get(key))
        .map((key) => `${key}: ${found.get(key) ?? 0} events instead of ${right.get(key) ?? 0}`)
    },
  }
}

interface RunningSession {
  readonly id: string
  /** A few steps have been taken since its end, and more of them would tell nothing new. */
  isLongOver(): boolean
  take(step: Step): Promise<void>
  /** Each tab takes what is newer. */
  share(): void
  /** Presents every token that was ever handed out, until the session is over, and then once more. */
  tryEverything(order: History['trial']): Promise<void>
  /** The number of its events, which the log's reader finds too. */
  checkLog(): Promise<number>
}

const STEPS_AFTER_END = 2
const TRIED_AT_ONCE = 8

async function openSession(world: World, tally: Tally, story: string[]): Promise<RunningSession> {
  const { rules, kysely } = world
  const begun = world.now()
  const { sessionId, refreshToken, accessToken } = await world.start()
  let model = startSession(begun, rules)
  let asked = 0
  let stepsAfterEnd = 0
  /** By place in the chain. Lost answers are not known to anybody where a process was killed. */
  const handedOut: (string | undefined)[] = [refreshToken]
  const accessTokens: string[] = [accessToken!]
  const held: Record<Actor, number> = { 'first tab': 0, 'second tab': 0, thief: 0 }
  const seen = new Set<string>()
  for (const { id } of await readEvents()) seen.add(id)

  function readEvents() {
    return kysely
      .selectFrom('gatebook_event')
      .select(['id', 'type', 'reason', 'actor_kind', 'ip', 'token_id', 'data'])
      .where('session_id', '=', sessionId)
      .orderBy('number')
      .execute()
  }
  type Event = Awaited<ReturnType<typeof readEvents>>[number]

  async function readNewEvents(): Promise<Event[]> {
    const events = (await readEvents()).filter(({ id }) => !seen.has(id))
    for (const { id } of events) seen.add(id)
    tally.events += events.length
    return events
  }

  /** The newest token that is known, at this place or before it. */
  function knownPlace(place: number): number {
    let known = Math.max(place, 0)
    while (handedOut[known] === undefined) known -= 1
    return known
  }

  async function ask(calls: readonly Call[], broken: Break | null): Promise<void> {
    await present(
      calls.map((call) => ({ ...call, token: knownPlace(held[call.actor] - call.behind) })),
      broken,
    )
  }

  async function present(calls: readonly (Call & Deed)[], broken: Break | null): Promise<void> {
    asked += 1
    const addresses = calls.map((call, place) => addressOf(tally.histories, asked, call.actor, place))
    const answers = await world.ask(
      calls.map(({ kind, process, token }, place) => ({
        kind,
        process,
        refreshToken: handedOut[token]!,
        ip: addresses[place]!,
      })),
      broken,
    )
    const events = await readNewEvents()
    const before = model
    story.push(tellCalls(before, calls, answers, broken, events))
    const deeds: ObservedDeed[] = []
    for (const [place, call] of calls.entries()) {
      const answer = answers[place]!
      const own = events.filter(({ ip }) => ip === addresses[place])
      const outcome = observe(call, answer, own)
      if (outcome === null) continue
      deeds.push({ kind: call.kind, token: call.token, outcome })
      if (answer === null) tally.unanswered += 1
      else noteTokens(call, outcome, answer, own[0])
    }
    for (const event of events.filter(({ ip }) => !addresses.includes(ip!))) {
      const isHousekeeping = nameOf(event) === 'session.ended expired' && event.actor_kind === 'system'
      if (!isHousekeeping) throw new Error(`${nameOf(event)} from ${event.ip} was left by nobody`)
      deeds.push({ kind: 'housekeeping', token: 0, outcome: 'housekeeping' })
    }
    const after = findSerialOrder(before, deeds, world.now(), rules)
    if (after === null) throw new Error(`no order explains: ${deeds.map(({ outcome }) => outcome).join(', ')}`)
    model = after
    count(calls, answers, broken, deeds)
    await checkRow()
    if (model.ended === null) await checkAccess()
    else if (before.ended === null) {
      const end = events.find(({ type }) => type === 'session.ended')
      await checkAccessIsOver(calls[addresses.indexOf(end?.ip ?? '')]?.process ?? null)
    }
  }

  /** What came of a call, by its answer and its events; null when nothing did that can be seen. */
  function observe({ kind, token }: Deed, answer: Answer | null, events: readonly Event[]): Outcome | null {
    if (answer === null && events.length === 0) return null
    const names = events.map(nameOf).sort()
    const outcome = (Object.keys(TRACES) as Outcome[]).find(
      (name) =>
        TRACES[name].of === kind &&
        (answer === null || TRACES[name].code === answer.code) &&
        TRACES[name].events.join() === names.join(),
    )
    const told = () => `${kind}: ${answer?.code ?? 'no answer'}, with ${names.join(', ') || 'no event'}`
    if (outcome === undefined) throw new Error(told())
    for (const event of events.filter(({ type }) => type !== 'session.ended')) {
      const counter = event.type === 'session.refreshed' ? token + 1 : token
      const { counter: told } = JSON.parse(event.data ?? '{}') as { counter?: number }
      if (told !== counter) throw new Error(`${nameOf(event)} says counter ${told} instead of ${counter}`)
    }
    return outcome
  }

  /** Whoever gets the successor of one token gets the same one, and it is the successor of no other. */
  function noteTokens(call: Call & Deed, outcome: Outcome, answer: Answer, event: Event | undefined): void {
    if (outcome !== 'rotated' && outcome !== 'grace') {
      if (answer.refreshToken !== undefined) throw new Error(`a token although ${outcome}`)
      return
    }
    const place = call.token + 1
    const successor = answer.refreshToken!
    handedOut[place] ??= successor
    if (handedOut[place] !== successor) throw new Error(`two successors of token ${call.token}`)
    if (handedOut.indexOf(successor) !== place) throw new Error(`token ${place} was handed out before`)
    accessTokens.push(answer.accessToken!)
    if (tokenIdOf(answer.accessToken!) !== event?.token_id) throw new Error('the event names another access token')
    if (!call.lost) held[call.actor] = place
  }

  function count(
    calls: readonly Call[],
    answers: readonly unknown[],
    broken: Break | null,
    deeds: readonly ObservedDeed[],
  ): void {
    tally.calls += calls.length
    if (calls.length > 1) tally.groups += 1
    tally.lost += calls.filter(({ lost }, place) => lost || answers[place] === null).length
    if (broken !== null && answers.includes(null)) tally.breaks[broken.how] += 1
    for (const { outcome } of deeds) tally.outcomes[outcome] = (tally.outcomes[outcome] ?? 0) + 1
  }

  async function checkRow(): Promise<void> {
    const row = await kysely
      .selectFrom('gatebook_session')
      .select(['refresh_counter', 'expires_at', 'end_reason', 'ended_at'])
      .where('id', '=', sessionId)
      .executeTakeFirstOrThrow()
    const expected = `counter ${model.chain.length - 1}, ended ${model.ended}`
    const found = `counter ${row.refresh_counter}, ended ${row.end_reason}`
    // Between the calls and this look the session may have been tidied away.
    const isTidied = model.ended === null && row.end_reason === 'expired' && isDue()
    if (found !== expected && !isTidied) throw new Error(`the row has ${found}; it should have ${expected}`)
    const expiresAt = Math.min(model.expiresAt, model.endsAt)
    if (world.clockStandsStill && Number(row.expires_at) !== expiresAt) throw new Error('it expires at another instant')
    if ((row.ended_at === null) !== (row.end_reason === null)) throw new Error('an end without an instant')
  }

  function isDue(): boolean {
    return world.now() >= Math.min(model.expiresAt, model.endsAt)
  }

  async function checkAccess(): Promise<void> {
    if (isDue()) return
    const newest = accessTokens.at(-1)!
    for (const process of [0, 1] as const) {
      const code = await world.verify(process, newest)
      if (code !== null && code !== codeWhile('no error', newest)) throw new Error(`an access token: ${code}`)
    }
  }

  function codeWhile(code: string, accessToken: string): string {
    return expiryOf(accessToken) <= world.now() ? 'ERR_TOKEN_EXPIRED' : code
  }

  /** At once in the process that ended it; in the other after its next poll. */
  async function checkAccessIsOver(ender: 0 | 1 | null): Promise<void> {
    for (const process of ender === null ? ([0, 1] as const) : ([ender, ender === 0 ? 1 : 0] as const)) {
      for (const token of [...accessTokens].reverse()) {
        const right = async () => {
          const code = await world.verify(process, token)
          return code === null || code === codeWhile('ERR_TOKEN_REVOKED', token)
        }
        if (await right()) continue
        if (process === ender) throw new Error(`process ${process} ended the session and accepts its access tokens`)
        await until(`process ${process} refuses the access tokens`, right)
      }
    }
  }

  async function tryTokens(places: readonly number[]): Promise<void> {
    for (const [turn, token] of places.entries()) {
      await present(
        [{ kind: 'refresh', actor: 'thief', behind: 0, process: turn % 2 ? 1 : 0, lost: false, token }],
        null,
      )
      // The rest all at once: there is nothing more to be told apart.
      if (model.ended !== null) return
    }
  }

  return {
    id: sessionId,

    isLongOver: () => stepsAfterEnd >= STEPS_AFTER_END,

    async take(step) {
      if (model.ended !== null) stepsAfterEnd += 1
      if (step.kind === 'calls') return ask(step.calls, step.broken ?? null)
      if (step.kind === 'share') {
        for (const actor of ACTORS) if (actor !== 'thief') held[actor] = held[step.from]
      } else if (step.kind === 'steal') held.thief = held[step.from]
      const milliseconds = waitOf(step, model, world)
      world.advance(milliseconds)
      story.push(
        step.kind.startsWith('wait')
          ? `${milliseconds} ms pass`
          : `${step.kind} from ${(step as { from: Actor }).from}`,
      )
    },

    share() {
      held['first tab'] = held['second tab'] = Math.max(held['first tab'], held['second tab'])
    },

    async tryEverything(order) {
      await tryTokens(orderOf(order, model, world).filter((place) => handedOut[place] !== undefined))
      if (model.ended === null) {
        world.advance(rules.graceMilliseconds + 1)
        story.push('the grace of every token is over')
        await tryTokens([model.chain.length - 2].map(knownPlace))
      }
      if (model.ended === null) throw new Error('the session outlived a token that was spent long ago')
      const places = handedOut.flatMap((token, place) => (token === undefined ? [] : [place]))
      for (let first = 0; first < places.length; first += TRIED_AT_ONCE) {
        await present(
          places.slice(first, first + TRIED_AT_ONCE).map((token, turn) => ({
            kind: 'refresh' as const,
            actor: 'thief' as const,
            behind: 0,
            process: turn % 2 ? (1 as const) : (0 as const),
            lost: false,
            token,
          })),
          null,
        )
      }
    },

    async checkLog() {
      const found = await world.search(sessionId)
      const rows = await readEvents()
      if (found.length !== seen.size || rows.length !== seen.size || !found.every((id) => seen.has(id))) {
        throw new Error(`${seen.size} events are accounted for, ${found.length} are found, ${rows.length} stored`)
      }
      return seen.size
    },
  }
}

/** How long to wait; 0 for what takes no time. */
function waitOf(step: Step, model: SessionModel, world: World): number {
  if (step.kind === 'wait') return step.milliseconds
  if (step.kind !== 'wait-until') return 0
  const lastSpentAt = model.chain.at(-2)
  const grace = lastSpentAt == null ? world.now() : lastSpentAt + world.rules.graceMilliseconds + (step.over ? 1 : 0)
  const idle = Math.min(model.expiresAt, model.endsAt) - (step.over ? 0 : 1)
  return Math.max(0, (step.end === 'grace' ? grace : idle) - world.now())
}

/** Every place of the chain, in an order. */
function orderOf(order: History['trial'], model: SessionModel, world: World): number[] {
  const oldestFirst = model.chain.map((_spentAt, place) => place)
  if (order === 'oldest first') return oldestFirst
  const newestFirst = oldestFirst.reverse()
  if (order === 'newest first') return newestFirst
  const isHarmless = (token: number): boolean => {
    const outcome = judge(model, { kind: 'refresh', token }, world.now(), world.rules)?.outcome
    return outcome === 'grace' || outcome === 'superseded'
  }
  return [...newestFirst.filter(isHarmless), ...newestFirst.filter((token) => !isHarmless(token))]
}

/** Each step has a /64 of its own: refusals are counted by prefix, and only the first hundred of one are exact. */
function addressOf(history: number, step: number, actor: Actor, place: number): string {
  const parts = [0x2001, 0xdb8, history, step, 0xa, 0xa, ACTORS.indexOf(actor) + 1, place + 1]
  return parts.map((part) => part.toString(16)).join(':')
}

function nameOf({ type, reason }: { readonly type: string; readonly reason: string | null }): string {
  return reason === null ? type : `${type} ${reason}`
}

function payloadOf(accessToken: string): { readonly exp: number; readonly jti: string } {
  return JSON.parse(Buffer.from(accessToken.split('.')[1]!, 'base64url').toString())
}

function tokenIdOf(accessToken: string): string {
  return payloadOf(accessToken).jti
}

/** Epoch milliseconds. */
function expiryOf(accessToken: string): number {
  return payloadOf(accessToken).exp * 1000
}

function tellCalls(
  { chain, ended }: SessionModel,
  calls: readonly (Call & Deed)[],
  answers: readonly (Answer | null)[],
  broken: Break | null,
  events: readonly { readonly type: string; readonly reason: string | null }[],
): string {
  const told = calls.map(
    ({ kind, actor, process, lost, token }, place) =>
      `${actor} asks process ${process} for ${kind} with token ${token}: ${answers[place]?.code ?? 'no answer'}${lost ? ' (lost)' : ''}`,
  )
  const state = `token ${chain.length - 1} is the newest, ended: ${ended}${broken === null ? '' : `, ${broken.how}`}`
  return `${state}; ${told.join('; ')}; events: ${events.map(nameOf).join(', ') || 'none'}`
}
