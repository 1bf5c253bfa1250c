import { GatebookError } from '../errors.ts'
import { decodeUtf8 } from '../util/bytes.ts'

export interface ClientCredentials {
  readonly id: string
  readonly secret: string
}

const LENGTH_MOST = 1024
const BASIC = /^Basic +([A-Za-z0-9+/]+={0,2})$/i

/**
 * Id and secret of a client (RFC 7617, each of them encoded as a form is: RFC 6749 §2.3.1); null when the header is absent or
 * of another scheme. Throws ERR_CLIENT_INVALID.
 */
export function parseBasic(authorization: string | null): ClientCredentials | null {
  if (authorization === null || !/^Basic(?:[\s,]|$)/i.test(authorization)) return null
  const encoded = authorization.length > LENGTH_MOST ? undefined : BASIC.exec(authorization)?.[1]
  if (encoded === undefined) throw new GatebookError('ERR_CLIENT_INVALID')
  try {
    const pair = decodeUtf8(Buffer.from(encoded, 'base64'))
    const colon = pair.indexOf(':')
    if (colon === -1) throw new GatebookError('ERR_CLIENT_INVALID')
    return { id: decodeForm(pair.slice(0, colon)), secret: decodeForm(pair.slice(colon + 1)) }
  } catch {
    throw new GatebookError('ERR_CLIENT_INVALID')
  }
}

function decodeForm(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
