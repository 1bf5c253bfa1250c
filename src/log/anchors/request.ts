import { readFile } from 'node:fs/promises'
import { readBody } from '../../verify/read-body.ts'
import { AnchorError } from '../anchor.ts'

/** Where an anchor that speaks HTTP is, and what it wants to see. */
export interface HttpTarget {
  /** `http:` or `https:`, without user and password. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** A file with a bearer token, read each time, so that it can be changed. */
  readonly tokenFile?: string
}

export interface HttpCall {
  readonly method: 'GET' | 'PUT' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface HttpAnswer {
  readonly status: number
  readonly type: string | null
  readonly body: string
}

/** A note with a hundred signatures is smaller. */
const ANSWER_BYTES = 65_536

/**
 * One exchange. A redirect is an answer like any other: whoever can redirect could otherwise choose who gets the token. Throws
 * an AnchorError that names the host alone, since the rest of a URL may be a secret.
 */
export async function exchange(target: HttpTarget, call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
  const { host } = new URL(call.url)
  const headers = { ...target.headers, ...call.headers, ...(await authorize(target)) }
  try {
    const response = await fetch(call.url, {
      method: call.method,
      headers,
      redirect: 'manual',
      signal,
      ...(call.body !== undefined && { body: call.body }),
    })
    const bytes = Buffer.from(await readBody(response, ANSWER_BYTES))
    return { status: response.status, type: response.headers.get('content-type'), body: bytes.toString() }
  } catch (error) {
    if (signal.aborted) throw new AnchorError(`${host} did not answer in time.`)
    throw new AnchorError(`${host} cannot be reached (${codeOf(error)}).`, { cause: error })
  }
}

/** What is wrong with an answer, in words for the operator. */
export function refusal(url: string, { status }: HttpAnswer, words?: string): AnchorError {
  const why =
    words ?? (status >= 300 && status < 400 ? 'which is a redirect, and none is followed' : 'which is no success')
  return new AnchorError(`${new URL(url).host} answered ${status}, ${why}.`)
}

async function authorize({ tokenFile }: HttpTarget): Promise<Record<string, string>> {
  if (tokenFile === undefined) return {}
  const token = await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new AnchorError(`The file with the token cannot be read (${error.code}).`)
  })
  if (!/^[\x21-\x7e]+\r?\n?$/.test(token))
    throw new AnchorError('The file with the token has no token on its one line.')
  return { Authorization: `Bearer ${token.trim()}` }
}

function codeOf(error: unknown): string {
  const { cause, message } = error as Error
  const { code } = (cause ?? error) as { code?: unknown }
  if (typeof code === 'string') return code
  // A TypeError of fetch may quote the URL.
  return error instanceof TypeError ? 'no code' : message
}
