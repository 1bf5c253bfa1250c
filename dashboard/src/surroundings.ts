/** What the server has written into the page: see `src/http/dashboard.ts`. */
export interface Surroundings {
  /** Prefix of these pages and of `/api` beside them. */
  readonly admin: string
  /** Prefix of `/readyz`; null where it is off. */
  readonly operations: string | null
  /** Prefix of the published log; null where it is off. */
  readonly log: string | null
  /** Whether tokens may be in cookies, and whether these need TLS. */
  readonly cookies: 'off' | 'plain' | 'secure'
}

export function readSurroundings(): Surroundings {
  const content = document.querySelector<HTMLMetaElement>('meta[name="gatebook"]')?.content
  if (content === undefined || content === '') throw new Error('The page does not say where it is.')
  return JSON.parse(content) as Surroundings
}
