import { hkdfSync } from 'node:crypto'
import { GatebookError } from '../errors.ts'

/** What is derived from the master secret. One label, one purpose; a label is never reused for another one. */
export type SecretLabel =
  | 'signing-key'
  | 'refresh-token'
  | 'device-token'
  | 'identifier'
  | 'throttle'
  | 'writer-mac'
  | 'row-seal'
  | 'check'

const MINIMUM_CHARACTERS = 32
const WELL_KNOWN =
  /^(.)\1*$|change[-_ ]?me|^(secret|password|gatebook|example|default|test|dev|0123456789|abcdef)+$|your[-_ ]?(256|secret)/i

/** Versioned secret outside the database, from which everything is derived (RFC 5869, SHA-256). */
export interface MasterSecret {
  /** The version that new things are made with: the highest. */
  readonly currentVersion: number
  readonly versions: readonly number[]
  /** 32 bytes, or null when this version is not configured. */
  deriveKey(label: SecretLabel, version: number): Buffer | null
  /** 32 bytes under the current version. */
  deriveCurrentKey(label: SecretLabel): Buffer
}

/**
 * Reads `SECRET`, or `VERSION:SECRET` items separated by commas or line breaks; a bare secret has version 1.
 * Throws ERR_SECRET_WEAK for one that is shorter than 32 characters or well known, ERR_OPTION_INVALID for other mistakes.
 * `setting` names the setting in the message; the secret itself never stands in one.
 */
export function parseMasterSecret(text: string, setting: string): MasterSecret {
  const secrets = new Map<number, Buffer>()
  const items = text
    .split(/[\n,]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')
  for (const item of items) {
    const match = /^([1-9][0-9]{0,2}):(.+)$/.exec(item)
    const version = match === null ? 1 : Number(match[1])
    const secret = match === null ? item : match[2]!
    // One byte of every token carries the version.
    if (version > 255) throw new GatebookError('ERR_OPTION_INVALID', { detail: `${setting}: a version is 1 to 255.` })
    if (secret.length < MINIMUM_CHARACTERS || WELL_KNOWN.test(secret) || new Set(secret).size < 10) {
      throw new GatebookError('ERR_SECRET_WEAK', {
        detail: `${setting} must hold at least ${MINIMUM_CHARACTERS} random characters, e.g. from: openssl rand -base64 32`,
      })
    }
    if (secrets.has(version)) {
      throw new GatebookError('ERR_OPTION_INVALID', { detail: `${setting} has version ${version} twice` })
    }
    secrets.set(version, Buffer.from(secret, 'utf8'))
  }
  if (secrets.size === 0) throw new GatebookError('ERR_SECRET_MISSING', { detail: `${setting} is empty` })
  return createMasterSecret(secrets)
}

function createMasterSecret(secrets: ReadonlyMap<number, Buffer>): MasterSecret {
  const versions = [...secrets.keys()].sort((a, b) => a - b)
  const currentVersion = versions.at(-1)!
  const derived = new Map<string, Buffer>()

  function deriveKey(label: SecretLabel, version: number): Buffer | null {
    const secret = secrets.get(version)
    if (secret === undefined) return null
    const name = `${label}/v${version}`
    let key = derived.get(name)
    if (key === undefined) {
      key = Buffer.from(hkdfSync('sha256', secret, 'gatebook', name, 32))
      derived.set(name, key)
    }
    return key
  }

  return {
    currentVersion,
    versions,
    deriveKey,
    deriveCurrentKey: (label) => deriveKey(label, currentVersion)!,
  }
}
