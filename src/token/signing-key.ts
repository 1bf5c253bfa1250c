import { createHash } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import type { Store } from '../store/store.ts'
import { ALGORITHMS, type AlgorithmName, importPublicJwk, importSharedSecret, type Jwk } from './algorithms.ts'
import type { TokenKey } from './jwt.ts'
import { type KeyRow, readKeyRows, VERIFYING } from './key-row.ts'
import { openPrivateKey } from './make-key.ts'

const RELOAD_COOLDOWN = 2000

/** The signing keys of this database, as this process knows them. */
export interface KeyRing {
  /** What access tokens are signed with. */
  signingKey(): TokenKey
  /** Whether there is one; not on a new database, before the first was made. */
  canSign(): boolean
  /** Null when no key has this id. Asks the database about an unknown one, but not more often than every 2 s. */
  findVerificationKey(kid: string): TokenKey | null | Promise<TokenKey | null>
  jwks(): { readonly keys: readonly Jwk[] }
  /** Another number as soon as a key verifies no more: what was verified with it before counts no longer. */
  epoch(): number
  reload(): Promise<void>
}

export interface KeyRingOptions {
  readonly store: Store
  readonly secret: MasterSecret
  readonly settings: Settings
}

interface LoadedKeys {
  /** By which two readings of the same rows are told from different ones. */
  readonly mark: string
  readonly verification: ReadonlyMap<string, TokenKey>
  readonly published: readonly Jwk[]
  readonly signing: TokenKey | null
}

export function createKeyRing({ store, secret, settings }: KeyRingOptions): KeyRing {
  const { signingAlgorithm, clock } = settings
  const shared = settings.hs256Secret === null ? null : sharedKey(settings.hs256Secret)
  let loaded: LoadedKeys = { mark: '', verification: new Map(), published: [], signing: null }
  let reloadedAt = Number.NEGATIVE_INFINITY
  let reloading: Promise<void> | undefined
  let epoch = 0

  function open(rows: readonly KeyRow[], mark: string): LoadedKeys {
    const verification = new Map<string, TokenKey>()
    if (shared !== null && signingAlgorithm === 'HS256') verification.set(shared.kid, shared)
    const published = rows.map((row) => JSON.parse(row.public_jwk) as Jwk)
    for (const [at, row] of rows.entries()) {
      const algorithm = ALGORITHMS[row.algorithm as AlgorithmName]
      verification.set(row.kid, { kid: row.kid, algorithm, key: importPublicJwk(published[at]!) })
    }
    if (signingAlgorithm === 'HS256') return { mark, verification, published, signing: shared }
    // Until a key of an algorithm that was changed to is known to everybody, the one of before goes on.
    const active = rows.find((row) => row.active_for === signingAlgorithm) ?? rows.find((row) => row.state === 'active')
    const signing =
      active === undefined
        ? null
        : {
            kid: active.kid,
            algorithm: ALGORITHMS[active.algorithm as AlgorithmName],
            key: openPrivateKey(secret, active),
          }
    return { mark, verification, published, signing }
  }

  async function load(): Promise<void> {
    const rows = await readKeyRows(store, VERIFYING)
    reloadedAt = clock.now()
    const mark = JSON.stringify(rows.map(({ kid, state, secret_version: version }) => [kid, state, version]))
    if (mark === loaded.mark) return
    const keys = open(rows, mark)
    if ([...loaded.verification.keys()].some((kid) => !keys.verification.has(kid))) epoch += 1
    loaded = keys
  }

  function reload(): Promise<void> {
    reloading ??= load().finally(() => {
      reloading = undefined
    })
    return reloading
  }

  return {
    canSign: () => loaded.signing !== null,
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
