import { GatebookError } from '../errors.ts'
import { type ClientCredentials, parseBasic } from './basic.ts'

/**
 * What a client shows: in the header, or in the form where there is one (RFC 6749 §2.3.1), and never in both. Throws
 * ERR_CLIENT_INVALID.
 */
export function credentialsOf(
  authorization: string | null,
  form: Readonly<Record<string, string | undefined>> | null,
): ClientCredentials {
  const basic = parseBasic(authorization)
  const { client_id: id, client_secret: secret } = form ?? {}
  if (basic !== null && secret === undefined && (id === undefined || id === basic.id)) return basic
  if (basic === null && authorization === null && id !== undefined && secret !== undefined) return { id, secret }
  throw new GatebookError('ERR_CLIENT_INVALID')
}

/** The same; a public client says who it is and shows nothing (RFC 6749 §3.2.1). */
export function clientOf(
  authorization: string | null,
  form: Readonly<Record<string, string | undefined>>,
): { readonly clientId: string; readonly clientSecret?: string } {
  const { client_id: id, client_secret: secret } = form
  if (authorization === null && secret === undefined && id !== undefined) return { clientId: id }
  const shown = credentialsOf(authorization, form)
  return { clientId: shown.id, clientSecret: shown.secret }
}
