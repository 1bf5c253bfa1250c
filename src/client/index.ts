/** What an application imports in a browser or on a server: plain modules, no package, nothing of Node. */
export type { ErrorCode } from '../errors.ts'
export { type Client, type ClientOptions, createClient } from './client.ts'
export { ClientError, type ClientErrorCode, type ClientOwnCode, isClientError } from './client-error.ts'
export type { HeldSession, HeldTokens } from './held-session.ts'
export type { SessionState } from './session-state.ts'
export { memoryStorage, type StoredState, type TokenStorage, webStorage } from './storage.ts'
