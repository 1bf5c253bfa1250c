/**
 * The life of a signing key: pending, active, retiring, retired; or revoked before its time. The dates follow from how long
 * a JWKS may be kept and how long an access token lives, so that nothing signs before everybody can verify it, and nothing
 * is dropped while a token of it lives. Every process moves keys on when it is time; one of them does.
 *
 * Events: `key.created`, `key.activated`, `key.retired`, `key.revoked`.
 */
import type { RequestContext, SigningKey } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { EventTypeName } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { keyState } from '../log/row-state.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import type { Transaction } from '../store/transaction.ts'
import { ALGORITHMS, type AlgorithmName } from '../token/algorithms.ts'
import { insertKeyRow, type KeyRow, moveKey, readKeyRows, VERIFYING } from '../token/key-row.ts'
import { retiringSeconds } from '../token/key-times.ts'
import { makeKeyRow, openPrivateKey, sealKey } from '../token/make-key.ts'
import type { KeyRing } from '../token/signing-key.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

export type KeyParts = Pick<FlowParts, 'store' | 'log' | 'settings'> & {
  readonly secret: MasterSecret
  readonly keys: KeyRing
}

const OURS: RequestContext = { actor: { kind: 'system', id: 'gatebook' } }

/** Makes the first key, which signs at once: nobody has a JWKS yet. Another algorithm than before begins as pending. */
export async function openKeys(parts: KeyParts): Promise<void> {
  if (parts.settings.signingAlgorithm !== 'HS256') await ensureKey(parts)
  // Behind the look at the rows, which may have shown the key of another process.
  await parts.keys.reload()
}

async function ensureKey(parts: KeyParts): Promise<void> {
  const { settings, store } = parts
  const rows = await readKeyRows(store, VERIFYING)
  const own = rows.filter(({ algorithm }) => algorithm === settings.signingAlgorithm)
  if (own.some(({ state }) => state !== 'retiring')) return
  const first = !rows.some(({ state }) => state === 'active')
  await create(parts, settings.signingAlgorithm, first ? 'active' : 'pending', OURS)
}

/** The key that will sign next. One that waits already is that one. Throws ERR_KEY_SHARED. */
export async function rotateKey(parts: KeyParts, context: RequestContext = {}): Promise<SigningKey> {
  const algorithm = requireKeyPairs(parts)
  const findWaiting = async () =>
    (await readKeyRows(parts.store, ['pending'])).find((row) => row.algorithm === algorithm)
  // One of several that ask at once makes it, and it is everybody's.
  const row = (await findWaiting()) ?? (await create(parts, algorithm, 'pending', context)) ?? (await findWaiting())
  if (row === undefined) throw new GatebookError('ERR_UNAVAILABLE', { retryAfterSeconds: 1 })
  await parts.keys.reload()
  return toSigningKey(row)
}

/**
 * Ends a key at once: every access token that it has signed is refused, and clients refresh. Where it was the one that
 * signs, the pending one takes its place, or a new one. False when it had ended before. Throws ERR_KEY_NOT_FOUND.
 */
export async function revokeKey(parts: KeyParts, kid: string, context: RequestContext = {}): Promise<boolean> {
  const { store, log, settings, keys, secret } = parts
  const rows = await readKeyRows(store, ALL)
  const row = rows.find((each) => each.kid === kid)
  if (row === undefined) throw new GatebookError('ERR_KEY_NOT_FOUND')
  const now = settings.clock.now()
  const revoked = await store.transaction(async (tx) => {
    if (!(await moveKey(tx, kid, VERIFYING, { ...ENDED, state: 'revoked', ended_at: now }))) return false
    const events: NewEvent[] = [tell('key.revoked', row, context)]
    if (row.state === 'active') {
      const algorithm = row.algorithm as AlgorithmName
      const next = rows.find((each) => each.state === 'pending' && each.algorithm === algorithm)
      const activated = { state: 'active', active_for: algorithm, pending_for: null, activated_at: now } as const
      if (next !== undefined && (await moveKey(tx, next.kid, ['pending'], activated))) {
        events.push(tell('key.activated', next, context))
      } else {
        const made = makeKeyRow(secret, algorithm, now, 'active')
        await insertKeyRow(tx, made)
        events.push(tell('key.created', made, context), tell('key.activated', made, context))
      }
    }
    await log.append(tx, events)
    return true
  })
  await keys.reload()
  return revoked
}

/** Does what is due: for every process, every few seconds. */
export async function advanceKeys(parts: KeyParts): Promise<void> {
  const { store, settings, keys, secret } = parts
  const now = settings.clock.now()
  const rows = await readKeyRows(store, VERIFYING)
  for (const row of rows) {
    if (row.state === 'pending' && row.activates_at <= now) await activate(parts, row, rows, now)
    if (row.state === 'retiring' && row.retires_at !== null && row.retires_at <= now) await retire(parts, row, now)
    if (row.secret_version !== secret.currentVersion && secret.versions.includes(row.secret_version)) {
      await reseal(parts, row)
    }
  }
  const { keyRotationSeconds, signingAlgorithm } = settings
  const active = rows.find((row) => row.active_for === signingAlgorithm)
  const waits = rows.some((row) => row.state === 'pending' && row.algorithm === signingAlgorithm)
  const due = active?.activated_at != null && active.activated_at + keyRotationSeconds * 1000 <= now
  if (keyRotationSeconds > 0 && due && !waits) await create(parts, signingAlgorithm, 'pending', OURS)
  await keys.reload()
}

/** Newest first, those that have ended too. */
export async function listKeys(parts: Pick<FlowParts, 'store'>): Promise<readonly SigningKey[]> {
  return (await readKeyRows(parts.store, ALL)).toReversed().map(toSigningKey)
}

/** What can sign no more has nothing left to steal. */
const ENDED = { active_for: null, pending_for: null, sealed_private_key: Buffer.alloc(0) } as const

const ALL = [...VERIFYING, 'retired', 'revoked'] as const

/** Undefined where another process was quicker: there is one active and one pending key of an algorithm. */
async function create(
  { store, log, secret, settings }: KeyParts,
  algorithm: AlgorithmName,
  state: 'pending' | 'active',
  context: RequestContext,
): Promise<KeyRow | undefined> {
  const row = makeKeyRow(secret, algorithm, settings.clock.now(), state)
  try {
    await store.transaction(async (tx) => {
      await insertKeyRow(tx, row)
      const events = [tell('key.created', row, context)]
      await log.append(tx, state === 'active' ? [...events, tell('key.activated', row, context)] : events)
    })
    return row
  } catch (error) {
    if (!store.traits.isUniqueViolation(error)) throw error
    return undefined
  }
}

/** The ones that have signed until now retire, whatever their algorithm was. */
async function activate(parts: KeyParts, row: KeyRow, rows: readonly KeyRow[], now: number): Promise<void> {
  const retiresAt = now + retiringSeconds(parts.settings.accessTokenSeconds) * 1000
  const moved = parts.store.transaction(async (tx) => {
    for (const before of rows.filter(({ state }) => state === 'active')) {
      await moveKey(tx, before.kid, ['active'], { state: 'retiring', active_for: null, retires_at: retiresAt })
    }
    const activated = {
      state: 'active',
      active_for: row.algorithm,
      pending_for: null,
      activated_at: now,
    } as const
    // Another process has done it, or the key was revoked: then the one of before must go on.
    if (!(await moveKey(tx, row.kid, ['pending'], activated))) throw new LostRace()
    await parts.log.append(tx, [tell('key.activated', row, OURS)])
  })
  await moved.catch((error: unknown) => {
    if (!(error instanceof LostRace)) throw error
  })
}

class LostRace extends Error {}

async function retire({ store, log }: KeyParts, row: KeyRow, now: number): Promise<void> {
  await store.transaction(async (tx) => {
    if (!(await moveKey(tx, row.kid, ['retiring'], { ...ENDED, state: 'retired', ended_at: now }))) return
    await log.append(tx, [tell('key.retired', row, OURS)])
  })
}

/** Under the newest version of the master secret, so that the one of before can be taken away. */
async function reseal({ store, secret }: KeyParts, row: KeyRow): Promise<void> {
  const sealed = sealKey(secret, row.kid, openPrivateKey(secret, row))
  await store.transaction((tx: Transaction) => moveKey(tx, row.kid, [row.state], { state: row.state, ...sealed }))
}

function requireKeyPairs({ settings }: KeyParts): AlgorithmName {
  if (ALGORITHMS[settings.signingAlgorithm].generate === null) throw new GatebookError('ERR_KEY_SHARED')
  return settings.signingAlgorithm
}

function tell(type: EventTypeName, row: KeyRow, context: RequestContext): NewEvent {
  const { kid, algorithm } = row
  return {
    ...eventSource(context, { kind: 'application' }),
    type,
    outcome: 'success',
    data: { kid, algorithm },
    ...(type === 'key.created' && { state: { key: keyState(row) } }),
  }
}

function toSigningKey(row: KeyRow): SigningKey {
  return {
    id: row.kid,
    algorithm: row.algorithm,
    state: row.state,
    createdAt: Number(row.created_at),
    activatesAt: Number(row.activates_at),
    activatedAt: row.activated_at === null ? null : Number(row.activated_at),
    retiresAt: row.retires_at === null ? null : Number(row.retires_at),
    endedAt: row.ended_at === null ? null : Number(row.ended_at),
  }
}
