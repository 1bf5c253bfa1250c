import { GatebookError } from '../errors.ts'
import { type ClientCredentials, parseBasic } from './basic.ts'

/**
 * What a client shows: in the header, or in the form where there is one (RFC 6749 §2.3.1), and never in both. Throws
 * ERR_CLIENT_INVALID.
 */
export function credentialsOf(
  authorization: string | null,
  form: Readonly<Record<string, string>> | null,
): ClientCredentials {
  const basic = parseBasic(authorization)
  const { client_id: id, client_secret: secret } = form ?? {}
  if (basic !== null && secret === undefined && (id === undefined || id === basic.id)) return basic
  if (basic === null && authorization === null && id !== undefined && secret !== undefined) return { id, secret }
  throw new GatebookError('ERR_CLIENT_INVALID')
}
