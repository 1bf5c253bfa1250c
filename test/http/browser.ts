import type { Gatebook } from '../../src/api.ts'
import { ISSUER } from '../support/gate.ts'
import { type CallOptions, call, type Reply } from './caller.ts'

/** As much of a browser as cookies are about: it keeps what it is sent, and says which page asks. */
export interface Browser {
  /** Without the prefix, e.g. `access`. */
  readonly cookies: Map<string, string>
  ask(line: string, options?: CallOptions): Promise<Reply>
  /** The Cookie header that it sends. */
  header(): string
}

export const PREFIX = '__Host-gatebook-'
/** Of a page of this origin, in a browser of today. */
export const OWN_PAGE: Readonly<Record<string, string>> = { 'Sec-Fetch-Site': 'same-origin', Origin: ISSUER }

export function createBrowser(gate: Gatebook, remoteAddress = '203.0.113.9'): Browser {
  const cookies = new Map<string, string>()
  const header = () => [...cookies].map(([name, value]) => `${PREFIX}${name}=${value}`).join('; ')
  return {
    cookies,
    header,
    async ask(line, options = {}) {
      const sent = cookies.size === 0 ? {} : { Cookie: header() }
      const headers = { ...OWN_PAGE, ...sent, ...options.headers }
      const reply = await call(gate, line, { remoteAddress, ...options, headers })
      for (const { name, value, maxAge } of setCookies(reply)) {
        if (maxAge === 0) cookies.delete(name)
        else cookies.set(name, value)
      }
      return reply
    },
  }
}

export interface SetCookie {
  readonly name: string
  readonly value: string
  /** Seconds. */
  readonly maxAge: number
  /** As they stand in the header, in its order. */
  readonly attributes: readonly string[]
}

/** The cookies of an answer. Throws for one that is not written as ours are. */
export function setCookies({ headers }: Pick<Reply, 'headers'>): readonly SetCookie[] {
  return headers.getSetCookie().map((line) => {
    const [pair = '', ...attributes] = line.split('; ')
    const [, name, value] = /^(?:__Host-)?gatebook-(\w+)=([\w.-]*)$/.exec(pair) ?? []
    const maxAge = Number(/^Max-Age=(\d+)$/.exec(attributes[0] ?? '')?.[1])
    if (name === undefined || value === undefined || Number.isNaN(maxAge))
      throw new Error(`not a cookie of ours: ${line}`)
    return { name, value, maxAge, attributes }
  })
}
