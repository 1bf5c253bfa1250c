/**
 * What the client takes from where it runs. Declared here in the size that is used, so that it compiles without the types
 * of a browser; each part is null where there is none: Node, workers, pages without https, old browsers.
 */
export interface Surroundings {
  /** Origin of the page or worker; null outside of a browser. */
  readonly origin: string | null
  /** Web Locks, by which the tabs of an origin take turns. */
  readonly locks: TabLocks | null
  /** Channel to the other tabs of this origin. */
  readonly openChannel: ((name: string) => TabPort) | null
  /** A page that somebody may be looking at. */
  readonly page: Page | null
}

export interface TabLocks {
  request<T>(
    name: string,
    options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
    work: (lock: object | null) => Promise<T>,
  ): Promise<T>
}

export interface TabPort {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage(message: unknown): void
  close(): void
}

export interface Page {
  readonly visibilityState: string
  readonly baseURI: string
  addEventListener(type: 'visibilitychange', listener: () => void): void
  removeEventListener(type: 'visibilitychange', listener: () => void): void
}

interface BrowserGlobals {
  readonly location?: { readonly origin?: string }
  readonly navigator?: { readonly locks?: TabLocks }
  readonly document?: Page
  readonly BroadcastChannel?: new (name: string) => TabPort
}

/**
 * Outside of a browser there are no tabs: one process serves many people, and a lock or a message by the name of a URL would
 * mix them up, also where Node has Web Locks and BroadcastChannel.
 */
export function readSurroundings(): Surroundings {
  const { location, navigator, document, BroadcastChannel } = globalThis as unknown as BrowserGlobals
  const origin = location?.origin
  if (origin === undefined || !/^https?:/.test(origin)) {
    return { origin: null, locks: null, openChannel: null, page: null }
  }
  return {
    origin,
    locks: navigator?.locks ?? null,
    openChannel: BroadcastChannel === undefined ? null : (name) => new BroadcastChannel(name),
    page: document ?? null,
  }
}

/** Milliseconds. A test hands in its own. */
export interface ClientClock {
  /** Goes forward only. What is measured within this page or process is measured by it. */
  monotonic(): number
  /** Epoch milliseconds of this machine, by which the tabs tell each other how old a token is. Never compared with the server's. */
  wall(): number
}

export const clientClock: ClientClock = { monotonic: () => performance.now(), wall: () => Date.now() }

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
