export interface PageRead {
  readonly status: number
  readonly text: string
  /** Where it leads, without the origin; null when it does not. */
  readonly to: string | null
  readonly headers: Headers
}

/** A browser without scripts: forms, cookies, and no redirect by itself. */
export interface Reader {
  get(path: string, headers?: Record<string, string>): Promise<PageRead>
  post(path: string, form: Record<string, string>, headers?: Record<string, string>): Promise<PageRead>
  /** New cookies for those that it has. */
  refresh(): Promise<PageRead>
  readonly cookies: Map<string, string>
}

export function openReader(
  url: string,
  userAgent = 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36',
): Reader {
  const cookies = new Map<string, string>()
  async function ask(path: string, init: RequestInit): Promise<PageRead> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { 'user-agent': userAgent, ...(cookie !== '' && { cookie }), ...(init.headers as object) }
    const response = await fetch(url + path, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value, age] = /^([^=]+)=([^;]*)(?:.*Max-Age=(\d+))?/.exec(line)!
      if (age === '0') cookies.delete(name!)
      else cookies.set(name!, value!)
    }
    const { status } = response
    return { status, text: await response.text(), to: response.headers.get('location'), headers: response.headers }
  }
  return {
    cookies,
    get: (path, headers = {}) => ask(path, { headers }),
    refresh: () =>
      ask('/auth/refresh', {
        method: 'POST',
        body: JSON.stringify({ cookies: true }),
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      }),
    post: (path, form, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: new URLSearchParams(form).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', ...headers },
      }),
  }
}
