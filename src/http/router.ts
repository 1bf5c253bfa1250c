import { TrieRouter } from 'hono/router/trie-router'
import type { Route, RouteMethod } from './route.ts'

export interface FoundRoute {
  readonly route: Route
  /** Parts of the path in braces, percent-decoded once unless the route takes the rest of the path. */
  readonly params: Readonly<Record<string, string>>
}

export interface Router {
  /** Null when there is no such route. HEAD is answered by what answers GET. */
  find(method: string, path: string): FoundRoute | null
  /** Those that the path knows, for Allow; none when there is no such path. */
  methodsOf(path: string): string[]
}

const METHODS: readonly RouteMethod[] = ['GET', 'POST', 'PATCH', 'DELETE']

/** Goes by the path as it was sent: a route has one spelling. */
export function createRouter(routes: readonly Route[]): Router {
  const router = new TrieRouter<Route>()
  for (const route of routes) router.add(route.method, patternOf(route), route)

  return {
    find(method, path) {
      const [found] = router.match(method === 'HEAD' ? 'GET' : method, path)[0] as [Route, Record<string, string>][]
      if (found === undefined) return null
      const [route, params] = found
      if (route.rest === true) return { route, params: { ...params } }
      return { route, params: Object.fromEntries(Object.entries(params).map(([name, text]) => [name, decode(text)])) }
    },
    methodsOf(path) {
      const own = METHODS.filter((method) => router.match(method, path)[0].length > 0)
      return own.length === 0 ? [] : [...own, ...(own.includes('GET') ? ['HEAD'] : []), 'OPTIONS']
    },
  }
}

function patternOf({ path, rest }: Route): string {
  const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1')
  return rest === true ? `${pattern}{.+}` : pattern
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    // No id looks like this.
    return text
  }
}
