/** A database URL as it may be shown: without password and parameters. */
export function describeUrl(url: string): string {
  try {
    const { protocol, username, host, pathname } = new URL(url)
    return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`
  } catch {
    return 'a URL that cannot be read'
  }
}
