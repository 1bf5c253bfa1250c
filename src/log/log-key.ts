import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import type { LogPolicy } from '../proof/checkpoint.ts'
import {
  formatVerifierKey,
  generateLogKey,
  parseSigningKey,
  parseVerifierKey,
  renameSigningKey,
  type SigningKey,
} from '../proof/note-key.ts'
import { ProofError } from '../proof/proof-error.ts'
import { placePrivateFile, readPrivateFile } from '../secret/private-file.ts'
import { putMeta } from '../store/put-meta.ts'
import type { Store } from '../store/store.ts'

/** What the checkpoints of a log are signed with. It is outside the database, and only processes that sign need it. */
export interface LogKey {
  /** The origin of the first epoch. */
  readonly origin: string
  /** The first one is the newest; all of them sign, so that a verifier needs to know only one. */
  signingKeys(epoch: number): readonly SigningKey[]
  policy(epoch: number): LogPolicy
  /** The epoch of a checkpoint by its origin; null for another log's. */
  epochOf(origin: string): number | null
  /** One line for each key, as `vkey` files have them. */
  verifierKeys(epoch: number): readonly string[]
}

const META_NAME = 'log:key'

/** Each restored backup begins an epoch, whose checkpoints have an origin of their own: none contradicts another. */
export function formatOrigin(name: string, epoch: number): string {
  return epoch === 1 ? name : `${name}/e${epoch}`
}

/** Throws ERR_OPTION_INVALID; the key itself never stands in a message. */
export function parseLogKey(text: string, setting: string): LogKey {
  const items = text.split(/[\n,]/).flatMap((item) => (item.trim() === '' ? [] : [item.trim()]))
  try {
    const [first, ...others] = items.map(parseSigningKey)
    if (first === undefined) throw invalid(setting, 'is empty')
    if (others.some(({ name }) => name !== first.name)) throw invalid(setting, 'has keys of different names')
    return createLogKey(first.name, items)
  } catch (error) {
    if (error instanceof ProofError) throw invalid(setting, 'is no key of a log; `gatebook log keygen` makes one')
    throw error
  }
}

function invalid(setting: string, what: string): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail: `${setting} ${what}.` })
}

function createLogKey(origin: string, texts: readonly string[]): LogKey {
  const epochs = new Map<number, readonly SigningKey[]>()
  const signingKeys = (epoch: number): readonly SigningKey[] => {
    const keys =
      epochs.get(epoch) ?? texts.map((text) => parseSigningKey(renameSigningKey(text, formatOrigin(origin, epoch))))
    epochs.set(epoch, keys)
    return keys
  }
  return {
    origin,
    signingKeys,
    policy: (epoch) => ({
      origin: formatOrigin(origin, epoch),
      logKeys: signingKeys(epoch).map(({ verifierKey }) => verifierKey),
    }),
    epochOf(name) {
      if (name === origin) return 1
      const [, digits = ''] =
        /^e([1-9][0-9]{0,5})$/.exec(name.startsWith(`${origin}/`) ? name.slice(origin.length + 1) : '') ?? []
      return digits === '' || digits === '1' ? null : Number(digits)
    },
    verifierKeys: (epoch) => signingKeys(epoch).map(({ verifierKey }) => formatVerifierKey(verifierKey)),
  }
}

/** `app.example/log-1f2e3d4c`: two installations that answer to one name must not have one origin. */
export function makeOrigin(issuer: string): string {
  const place = issuer.replace(/^https?:\/\//i, '').replace(/\/$/, '')
  return `${place.replaceAll(/[^A-Za-z0-9./:_-]/g, '-')}/log-${randomBytes(4).toString('hex')}`
}

/**
 * The configured key; outside production one that is made at the first start. Null where this process does not sign: by
 * `logSigning`, or because it is a command beside a server and has no key.
 *
 * Throws ERR_LOG_KEY_MISSING, ERR_LOG_KEY_MISMATCH, ERR_OPTION_INVALID.
 */
export async function loadLogKey(store: Store, settings: Settings, ephemeral: boolean): Promise<LogKey | null> {
  if (settings.logSigning === 'off') return null
  const known = await readKnownKeys(store)
  const key = await readOrCreate(settings, known.length > 0, ephemeral)
  if (key === null) return null
  await compareWithDatabase(store, key, known)
  return key
}

async function readOrCreate(settings: Settings, logHasKey: boolean, ephemeral: boolean): Promise<LogKey | null> {
  if (settings.logKey !== null) return parseLogKey(settings.logKey, 'logKey')
  if (ephemeral) return parseLogKey(generateLogKey(makeOrigin(settings.issuer)).signingKey, 'logKey')
  const path = resolve(settings.logKeyFile)
  const text = await readPrivateFile(path).catch((error: unknown) => {
    throw missing(`The file ${path} (logKeyFile) cannot be read: ${(error as Error).message}.`)
  })
  if (text !== null) return parseLogKey(text, `the file ${path} (logKeyFile)`)
  const refused = logHasKey
    ? `The log of this database is signed with a key, and there is no file ${path} (logKeyFile). Run in the folder that has it, or set logKey or logKeyFile. In a process that leaves signing to another one, set logSigning to off.`
    : process.env.NODE_ENV === 'production'
      ? `With NODE_ENV=production the key of the log is not made up: put one into ${path} (logKeyFile) or set logKey, e.g. from: gatebook log keygen. In a process that leaves signing to another one, set logSigning to off.`
      : null
  if (refused !== null) {
    if (settings.attach) return null
    throw missing(refused)
  }
  const { signingKey } = generateLogKey(makeOrigin(settings.issuer))
  const placed = await placePrivateFile(path, `${signingKey}\n`).catch((error: unknown) => {
    throw missing(`The file ${path} (logKeyFile) cannot be made: ${(error as Error).message}.`)
  })
  if (placed.made) {
    settings.diagnostics.info(
      { path },
      'A key for signing the log was made. Keep it and the file logGuard where whoever can write to the database cannot.',
    )
  }
  return parseLogKey(placed.text, `the file ${path} (logKeyFile)`)
}

function missing(detail: string): GatebookError {
  return new GatebookError('ERR_LOG_KEY_MISSING', { detail })
}

/** The verifier keys that the database was told of: good for finding mistakes, and proof of nothing. */
export async function readKnownKeys(store: Pick<Store, 'read'>): Promise<readonly string[]> {
  const row = await store.read((db) =>
    db.selectFrom('gatebook_meta').select('value').where('name', '=', META_NAME).executeTakeFirst(),
  )
  return row === undefined ? [] : row.value.split('\n')
}

async function compareWithDatabase(store: Store, key: LogKey, known: readonly string[]): Promise<void> {
  const mine = key.verifierKeys(1)
  if (known.length > 0 && !mine.some((vkey) => known.includes(vkey))) {
    const name = known.map((vkey) => tryName(vkey)).join(', ')
    throw new GatebookError('ERR_LOG_KEY_MISMATCH', {
      detail: `The log of this database is signed by ${name}, and the key that is configured is another one. Restore the old one, or put the new one in front of it to change keys.`,
    })
  }
  if (mine.join('\n') === known.join('\n')) return
  await store.transaction((tx) => putMeta(tx, META_NAME, mine.join('\n')))
}

function tryName(vkey: string): string {
  try {
    const { name, keyId } = parseVerifierKey(vkey)
    return `${name} (${keyId.toString(16).padStart(8, '0')})`
  } catch {
    return 'a key that cannot be read'
  }
}
