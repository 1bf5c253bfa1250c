import { GatebookError } from '../errors.ts'

/** No access token may be longer (option `accessTokenMaxBytes`), so nothing longer is looked at. */
const MAX_HEADER_LENGTH = 8192 + 32

/** RFC 6750 §2.1: one token, and nothing else. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i

/**
 * The token of an Authorization header; null when the header is absent or is of another scheme, since then nobody tried.
 * Tokens are taken from nowhere else: a query ends up in the logs of proxies. Throws ERR_TOKEN_INVALID.
 */
export function parseBearer(authorization: string | null): string | null {
  if (authorization === null) return null
  if (authorization.length > MAX_HEADER_LENGTH) throw new GatebookError('ERR_TOKEN_INVALID')
  const token = BEARER.exec(authorization)?.[1]
  if (token !== undefined) return token
  if (/^Bearer(?:[\s,]|$)/i.test(authorization)) throw new GatebookError('ERR_TOKEN_INVALID')
  return null
}
