import { createHash, type KeyObject } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import type { NewEvent } from '../event/event.ts'
import type { EventLog } from '../log/log.ts'
import type { Settings } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import type { Store } from '../store/store.ts'
import type { Transaction } from '../store/transaction.ts'
import { generateId } from '../util/id.ts'
import {
  ALGORITHMS,
  type AlgorithmName,
  exportPrivateKey,
  exportPublicJwk,
  importPrivateKey,
  importPublicJwk,
  importSharedSecret,
  type Jwk,
} from './algorithms.ts'
import type { TokenKey } from './jwt.ts'
import { seal, unseal } from './seal.ts'

const RELOAD_COOLDOWN = 2000

/** The signing keys of this database, as this process knows them. */
export interface KeyRing {
  /** Loads the keys, and makes the first one of the configured algorithm. */
  open(): Promise<void>
  /** What access tokens are signed with. */
  signingKey(): TokenKey
  /** Null when no key has this id. Asks the database about an unknown one, but not more often than every 2 s. */
  findVerificationKey(kid: string): TokenKey | null | Promise<TokenKey | null>
  jwks(): { readonly keys: readonly Jwk[] }
  /** Another number as soon as a key verifies no more: what was verified with it before counts no longer. */
  epoch(): number
  reload(): Promise<void>
}

export interface KeyRingOptions {
  readonly store: Store
  readonly log: EventLog
  readonly secret: MasterSecret
  readonly settings: Settings
}

interface LoadedKeys {
  readonly verification: ReadonlyMap<string, TokenKey>
  readonly published: readonly Jwk[]
  readonly signing: TokenKey | null
}

export function createKeyRing({ store, log, secret, settings }: KeyRingOptions): KeyRing {
  const { signingAlgorithm, clock } = settings
  const shared = settings.hs256Secret === null ? null : sharedKey(settings.hs256Secret)
  let loaded: LoadedKeys = { verification: new Map(), published: [], signing: null }
  let reloadedAt = Number.NEGATIVE_INFINITY
  let reloading: Promise<void> | undefined
  let epoch = 0

  async function load(): Promise<LoadedKeys> {
    const rows = await store.read((db) =>
      db.selectFrom('gatebook_signing_key').selectAll().where('state', '!=', 'revoked').orderBy('created_at').execute(),
    )
    const verification = new Map<string, TokenKey>()
    const published: Jwk[] = []
    let signing = signingAlgorithm === 'HS256' ? shared : null
    if (shared !== null && signingAlgorithm === 'HS256') verification.set(shared.kid, shared)
    for (const row of rows) {
      const algorithm = ALGORITHMS[row.algorithm as AlgorithmName]
      const jwk = JSON.parse(row.public_jwk) as Jwk
      verification.set(row.kid, { kid: row.kid, algorithm, key: importPublicJwk(jwk) })
      published.push(jwk)
      if (row.active_for === signingAlgorithm) signing = { kid: row.kid, algorithm, key: openPrivateKey(row) }
    }
    return { verification, published, signing }
  }

  function openPrivateKey(row: { kid: string; secret_version: number; sealed_private_key: Uint8Array }): KeyObject {
    const sealingKey = secret.deriveKey('signing-key', row.secret_version)
    const der = sealingKey === null ? null : unseal(row.sealed_private_key, sealingKey, row.kid)
    if (der === null) {
      throw new GatebookError('ERR_SECRET_MISMATCH', {
        detail: `The signing key ${row.kid} cannot be opened with version ${row.secret_version} of the master secret.`,
      })
    }
    return importPrivateKey(der)
  }

  async function createFirstKey(algorithm: AlgorithmName): Promise<void> {
    const now = clock.now()
    const kid = generateId('key', now)
    const privateKey = ALGORITHMS[algorithm].generate!()
    try {
      await store.transaction(async (tx) => {
        await insertActiveKey(tx, { kid, algorithm, privateKey, now })
        await log.append(tx, [keyEvent('key.created', kid, algorithm), keyEvent('key.activated', kid, algorithm)])
      })
    } catch (error) {
      // Another process was quicker; its key is ours too.
      if (!store.traits.isUniqueViolation(error)) throw error
    }
  }

  async function insertActiveKey(
    tx: Transaction,
    made: { kid: string; algorithm: AlgorithmName; privateKey: KeyObject; now: number },
  ): Promise<void> {
    await tx.db
      .insertInto('gatebook_signing_key')
      .values({
        kid: made.kid,
        algorithm: made.algorithm,
        state: 'active',
        active_for: made.algorithm,
        public_jwk: JSON.stringify(exportPublicJwk(made.privateKey, made.algorithm, made.kid)),
        sealed_private_key: seal(exportPrivateKey(made.privateKey), secret.deriveCurrentKey('signing-key'), made.kid),
        secret_version: secret.currentVersion,
        created_at: made.now,
        activated_at: made.now,
      })
      .execute()
  }

  function reload(): Promise<void> {
    reloading ??= load()
      .then((keys) => {
        if ([...loaded.verification.keys()].some((kid) => !keys.verification.has(kid))) epoch += 1
        loaded = keys
        reloadedAt = clock.now()
      })
      .finally(() => {
        reloading = undefined
      })
    return reloading
  }

  return {
    async open() {
      await reload()
      if (loaded.signing !== null) return
      await createFirstKey(signingAlgorithm)
      await reload()
    },
    signingKey() {
      if (loaded.signing === null)
        throw new GatebookError('ERR_INTERNAL', { detail: 'There is no active signing key.' })
      return loaded.signing
    },
    findVerificationKey(kid) {
      const known = loaded.verification.get(kid)
      if (known !== undefined) return known
      if (clock.now() - reloadedAt < RELOAD_COOLDOWN) return null
      return reload().then(() => loaded.verification.get(kid) ?? null)
    },
    jwks: () => ({ keys: loaded.published }),
    epoch: () => epoch,
    reload,
  }
}

function sharedKey(sharedSecret: string): TokenKey {
  const digest = createHash('sha256').update(`gatebook hs256 kid\n${sharedSecret}`, 'utf8').digest('base64url')
  return { kid: `hs256-${digest.slice(0, 16)}`, algorithm: ALGORITHMS.HS256, key: importSharedSecret(sharedSecret) }
}

function keyEvent(type: 'key.created' | 'key.activated', kid: string, algorithm: string): NewEvent {
  return { type, outcome: 'success', actor: { kind: 'system', id: 'gatebook' }, data: { kid, algorithm } }
}
