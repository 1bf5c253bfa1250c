import type { Gatebook, RequestContext, SessionTokens } from '../../api.ts'

/** Whoever plays in the demonstration. Nobody of them exists. */
export const DEMO_ADMIN = 'admin@demo.example'
export const ATTACKED = 'otter@demo.example'
export const ATTACK_PREFIX = '198.51.100.0/24'

const NAMES = [
  ...['otter', 'heron', 'badger', 'lynx', 'marten', 'stoat', 'beaver', 'kestrel', 'plover', 'curlew', 'dipper', 'wren'],
  ...['수달', '두루미', '오소리', '물총새', '고라니', '담비'],
]
export const DEMO_USERS: readonly string[] = NAMES.map((name) => `${name}@demo.example`)

const PASSWORD = 'three grey herons wade'
const NEW_PASSWORD = 'a long and quiet river bank'
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'Mozilla/5.0 (Linux; Android 15; SM-S931N) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36',
]
const THIEF_AGENT = 'python-requests/2.32.3'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
export const DAY: number = 24 * HOUR
/** Of the fifth day, in UTC: at night. */
const ATTACK_AT = 4 * DAY + 3 * HOUR + 12 * MINUTE

interface Act {
  /** From the beginning of the week. */
  readonly at: number
  run(): Promise<unknown>
}

export interface DemoWeek {
  readonly gate: Gatebook
  /** Goes to an instant of the week; never back. */
  goTo(at: number): void
  readonly adminPassword: string
}

/**
 * A week in the life of a small application: people at work, typing errors, forgotten passwords; one night somebody tries one password
 * after the other on everybody, and gets in once; in the morning the owner says "this wasn't me".
 */
export async function playWeek({ gate, goTo, adminPassword }: DemoWeek): Promise<void> {
  const random = createRandom(20_261_127)
  const admin = await gate.users.create({ identifier: DEMO_ADMIN, password: adminPassword, roles: ['admin'] })
  const byAdmin: RequestContext = {
    ...{ ip: '192.0.2.10', ipSource: 'socket', userAgent: AGENTS[2]! },
    actor: { kind: 'admin', id: admin.id },
  }
  const acts: Act[] = []
  const sessions = new Map<string, SessionTokens>()
  const ids = new Map<string, string>()
  const passwords = new Map<string, string>()
  /** By user and browser: who logs in from a known device is not locked out by what others do. */
  const devices = new Map<string, string>()

  const contextOf = (place: number, office: boolean): RequestContext => ({
    ip: office
      ? `192.0.2.${20 + place}`
      : place % 3 === 0
        ? `2001:db8:${(place + 10).toString(16)}::5`
        : `203.0.113.${40 + place}`,
    ipSource: 'socket',
    userAgent: AGENTS[(place + (office ? 0 : 1)) % AGENTS.length]!,
  })
  const logIn = async (identifier: string, context: RequestContext): Promise<void> => {
    const device = `${identifier} ${context.userAgent}`
    const deviceToken = devices.get(device)
    const known = deviceToken === undefined ? context : { ...context, deviceToken }
    const password = passwords.get(identifier) ?? PASSWORD
    const tokens = await gate.login({ identifier, password }, known).catch(() => null)
    if (tokens === null) return
    sessions.set(identifier, tokens)
    devices.set(device, tokens.deviceToken)
  }
  const fail = (identifier: string, context: RequestContext): Promise<unknown> =>
    gate.login({ identifier, password: 'not the right one' }, context).catch(() => undefined)
  const refresh = async (identifier: string, context: RequestContext): Promise<void> => {
    const tokens = sessions.get(identifier)
    if (tokens === undefined) return
    const next = await gate.refresh(tokens.refreshToken, context).catch(() => null)
    if (next !== null) sessions.set(identifier, next)
  }
  const logOut = async (identifier: string, context: RequestContext): Promise<void> => {
    const tokens = sessions.get(identifier)
    sessions.delete(identifier)
    if (tokens !== undefined) await gate.logout({ refreshToken: tokens.refreshToken }, context)
  }

  for (const [place, identifier] of DEMO_USERS.entries()) {
    const context = contextOf(place, true)
    const joined = Math.floor(random() * 6 * HOUR)
    acts.push({
      at: joined,
      run: async () => {
        const tokens = await gate.register({ identifier, password: PASSWORD }, context)
        ids.set(identifier, tokens.userId)
        sessions.set(identifier, tokens)
        devices.set(`${identifier} ${context.userAgent}`, tokens.deviceToken)
      },
    })
    for (let day = 0; day < 7; day++) {
      // Fewer at the weekend.
      if (day > 0 && random() < (day === 2 || day === 3 ? 0.8 : 0.15)) continue
      const office = random() < 0.7
      const from = contextOf(place, office)
      const begin = day * DAY + 7 * HOUR + Math.floor(random() * 3 * HOUR)
      if (random() < 0.2) acts.push({ at: begin - 40_000, run: () => fail(identifier, from) })
      acts.push({ at: begin, run: () => logIn(identifier, from) })
      for (let hour = 1; hour < 8; hour++) {
        if (random() < 0.45) acts.push({ at: begin + hour * HOUR, run: () => refresh(identifier, from) })
      }
      if (random() < 0.6) acts.push({ at: begin + 9 * HOUR, run: () => logOut(identifier, from) })
    }
  }

  acts.push(
    { at: DAY + 9 * HOUR, run: async () => gate.users.grantRole(ids.get('heron@demo.example')!, 'support', byAdmin) },
    { at: DAY + 10 * HOUR, run: () => gate.clients.create({ name: 'reporting' }, byAdmin) },
    { at: 5 * DAY + 11 * HOUR, run: () => gate.keys.rotate(byAdmin) },
    { at: 6 * DAY + 9 * HOUR, run: () => gate.log.read({ type: 'login.failed' }, { limit: 50 }, byAdmin) },
  )

  const attacker = (): RequestContext => ({
    ip: `198.51.100.${60 + Math.floor(random() * 40)}`,
    ipSource: 'socket',
    userAgent: THIEF_AGENT,
  })
  const note = (says: string) => () => gate.log.append({ type: 'app.demo.note', data: { says } })
  acts.push({ at: ATTACK_AT - 1000, run: note('From here on: password spraying out of 198.51.100.0/24.') })
  const targets = [...DEMO_USERS, ...['root', 'test', 'info', 'admin', 'backup'].map((name) => `${name}@demo.example`)]
  for (let round = 0; round < 5; round++) {
    for (const [place, identifier] of targets.entries()) {
      const at = ATTACK_AT + round * 5 * MINUTE + place * 9000 + Math.floor(random() * 4000)
      acts.push({ at, run: () => fail(identifier, attacker()) })
    }
  }
  let stolen: SessionTokens | null = null
  acts.push({
    at: ATTACK_AT + 26 * MINUTE,
    run: async () => {
      stolen = await gate.login({ identifier: ATTACKED, password: PASSWORD }, attacker()).catch(() => null)
    },
  })
  for (const minutes of [36, 46, 61]) {
    acts.push({
      at: ATTACK_AT + minutes * MINUTE,
      run: async () => {
        if (stolen !== null) stolen = await gate.refresh(stolen.refreshToken, attacker()).catch(() => null)
      },
    })
  }
  acts.push({ at: ATTACK_AT + 62 * MINUTE, run: note('Here it ends: one password was right.') })
  const morning = 4 * DAY + 8 * HOUR + 30 * MINUTE
  const owner = contextOf(0, true)
  acts.push({
    at: morning,
    run: async () => {
      const userId = ids.get(ATTACKED)!
      await logIn(ATTACKED, owner)
      const own = { ...owner, actor: { kind: 'user', id: userId } } as const
      const { items } = await gate.log.search({ user: userId, type: 'login.succeeded', ip: ATTACK_PREFIX })
      if (items[0] !== undefined) await gate.sessions.disown({ userId, eventId: items[0].id }, own)
      const claims = await gate.tokens.verify(sessions.get(ATTACKED)!.accessToken)
      const input = { claims, currentPassword: PASSWORD, newPassword: NEW_PASSWORD }
      await gate.changePassword(input, own)
      passwords.set(ATTACKED, NEW_PASSWORD)
    },
  })
  acts.push({
    at: 5 * DAY + 13 * HOUR,
    // A refresh token that two programs have: the second use ends the session.
    run: async () => {
      const from = contextOf(2, false)
      const first = await gate.login({ identifier: 'badger@demo.example', password: PASSWORD }, from)
      const second = await gate.refresh(first.refreshToken, from)
      await gate.refresh(second.refreshToken, from)
    },
  })
  const spent: { token?: string } = {}
  acts.push(
    {
      at: 5 * DAY + 14 * HOUR,
      run: async () => {
        const from = contextOf(5, false)
        const first = await gate.login({ identifier: 'stoat@demo.example', password: PASSWORD }, from)
        spent.token = first.refreshToken
        const second = await gate.refresh(first.refreshToken, from)
        await gate.refresh(second.refreshToken, from)
      },
    },
    {
      at: 5 * DAY + 16 * HOUR,
      run: () => gate.refresh(spent.token ?? '', { ...attacker(), ip: '203.0.113.250' }).catch(() => undefined),
    },
  )

  acts.sort((one, other) => one.at - other.at)
  for (const { at, run } of acts) {
    goTo(at)
    await run()
  }
  goTo(7 * DAY - MINUTE)
  await gate.log.flush()
}

/** Mulberry32: the same week each time. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
