import type { KeyObject } from 'node:crypto'
import { GatebookError } from '../errors.ts'
import type { MasterSecret } from '../secret/master-secret.ts'
import { generateId } from '../util/id.ts'
import { ALGORITHMS, type AlgorithmName, exportPrivateKey, exportPublicJwk, importPrivateKey } from './algorithms.ts'
import type { KeyRow } from './key-row.ts'
import { PUBLISHED_FIRST_SECONDS } from './key-times.ts'
import { seal, unseal } from './seal.ts'

/** A new key, to be inserted: one that waits until everybody knows it, or one that signs at once. */
export function makeKeyRow(
  secret: MasterSecret,
  algorithm: AlgorithmName,
  now: number,
  state: 'pending' | 'active',
): KeyRow {
  const kid = generateId('key', now)
  const privateKey = ALGORITHMS[algorithm].generate!()
  return {
    kid,
    algorithm,
    state,
    active_for: state === 'active' ? algorithm : null,
    pending_for: state === 'pending' ? algorithm : null,
    public_jwk: JSON.stringify(exportPublicJwk(privateKey, algorithm, kid)),
    ...sealKey(secret, kid, privateKey),
    created_at: now,
    activates_at: state === 'active' ? now : now + PUBLISHED_FIRST_SECONDS * 1000,
    activated_at: state === 'active' ? now : null,
    retires_at: null,
    ended_at: null,
  }
}

export function sealKey(
  secret: MasterSecret,
  kid: string,
  privateKey: KeyObject,
): Pick<KeyRow, 'sealed_private_key' | 'secret_version'> {
  const sealed = seal(exportPrivateKey(privateKey), secret.deriveCurrentKey('signing-key'), kid)
  return { sealed_private_key: sealed, secret_version: secret.currentVersion }
}

/** Throws ERR_SECRET_MISMATCH where the version of the secret is missing that it was sealed with. */
export function openPrivateKey(
  secret: MasterSecret,
  row: Pick<KeyRow, 'kid' | 'secret_version' | 'sealed_private_key'>,
): KeyObject {
  const sealingKey = secret.deriveKey('signing-key', row.secret_version)
  const der = sealingKey === null ? null : unseal(row.sealed_private_key, sealingKey, row.kid)
  if (der === null) {
    throw new GatebookError('ERR_SECRET_MISMATCH', {
      detail: `The signing key ${row.kid} cannot be opened with version ${row.secret_version} of the master secret.`,
    })
  }
  return importPrivateKey(der)
}
