import { createGatebook, type Gatebook } from 'gatebook'
import { mysql } from 'gatebook/mysql'
import type { ConnectionOptions } from 'gatebook/next'
import { postgres } from 'gatebook/postgres'
import { sqlite } from 'gatebook/sqlite'

interface Shared {
  gatebook?: Promise<Gatebook>
  now?: number
}

/** Next.js bundles each route by itself; what there shall be one of is kept where they all see it. */
const shared = globalThis as Shared

/** The clock of the tests. */
export function setClock(now: number): void {
  shared.now = now
}

export function gate(): Promise<Gatebook> {
  shared.gatebook ??= open()
  return shared.gatebook
}

export async function unlucky(): Promise<Gatebook> {
  return { ...(await gate()), authenticate: () => Promise.reject(new RangeError('broken')) }
}

/** Nothing stands in front of it here, so that what Next.js notes of the socket can be taken. */
export const connection: ConnectionOptions = {
  remoteAddress: (request) => request.headers.get('x-forwarded-for') ?? undefined,
}

function open(): Promise<Gatebook> {
  const { TEST_ISSUER: issuer = '', TEST_DATABASE: url = '', TEST_SECRET: secret = '', TEST_NOW: now } = process.env
  const hashes = JSON.parse(process.env.TEST_HASHES ?? '{}') as object
  setClock(Number(now))
  const database = url.startsWith('sqlite:')
    ? sqlite(url.slice('sqlite:'.length))
    : url.startsWith('postgres')
      ? postgres(url)
      : mysql(url)
  return createGatebook({
    issuer,
    database,
    secret,
    clock: { now: () => shared.now ?? 0 },
    bodyLimitBytes: 4096,
    accessTokenSeconds: 600,
    cookies: 'lax',
    sequencerMilliseconds: 20,
    logSigning: 'off',
    ...hashes,
  })
}
