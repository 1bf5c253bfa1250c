import { useEffect, useState } from 'preact/hooks'

/** Where these pages are: what stands behind the prefix, in parts that are decoded, and what stands behind the `?`. */
export interface Place {
  readonly parts: readonly string[]
  readonly search: URLSearchParams
}

const CHANGED = 'gatebook:place'

let prefix = ''

export function setPrefix(path: string): void {
  prefix = path
}

export function readPlace(): Place {
  const { pathname, search } = window.location
  const rest = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : pathname
  const parts = rest.split('/').filter((part) => part !== '')
  return { parts: parts.map(decode), search: new URLSearchParams(search) }
}

export interface Target {
  readonly parts: readonly string[]
  /** What is undefined or empty is left out. */
  readonly search?: Readonly<Record<string, string | undefined>>
}

export function hrefOf({ parts, search = {} }: Target): string {
  const path = `${prefix}/${parts.map(encodeURIComponent).join('/')}`.replace(/(.)\/$/, '$1')
  const given = Object.entries(search).filter((entry): entry is [string, string] => (entry[1] ?? '') !== '')
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}

export function go(href: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (href === window.location.pathname + window.location.search) return
  if (replace) window.history.replaceState(null, '', href)
  else window.history.pushState(null, '', href)
  window.dispatchEvent(new Event(CHANGED))
}

/** The same page with other parameters; undefined takes one away. */
export function goWith(
  search: Readonly<Record<string, string | undefined>>,
  options?: { readonly replace?: boolean },
): void {
  const place = readPlace()
  const all = { ...Object.fromEntries(place.search), ...search }
  go(hrefOf({ parts: place.parts, search: all }), options)
}

export function usePlace(): Place {
  const [place, setPlace] = useState(readPlace)
  useEffect(() => {
    const follow = (): void => setPlace(readPlace())
    window.addEventListener('popstate', follow)
    window.addEventListener(CHANGED, follow)
    return () => {
      window.removeEventListener('popstate', follow)
      window.removeEventListener(CHANGED, follow)
    }
  }, [])
  return place
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
