/** What a resource server imports: no database, no hash, nothing but node:crypto. */
export type { AccessClaims } from '../api.ts'
export { type ErrorCode, GatebookError, isGatebookError } from '../errors.ts'
export type { VerificationAlgorithmName } from '../token/algorithms.ts'
export { type CompactHeader, type VerificationKey, type VerifiedCompact, verifyCompact } from '../token/compact.ts'
export { importSharedKey, importVerificationKey, type VerificationJwk } from './keys.ts'
export type { RevocationOptions, RevocationState } from './remote-revocations.ts'
export { jwkThumbprint } from './thumbprint.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'
