import type { HttpResponse } from '../api.ts'

export type { HeaderReader, HttpRequest, HttpResponse } from '../api.ts'

/** The same as an object of the Fetch standard. */
export function toFetchResponse({ status, headers, setCookies, body }: HttpResponse): Response {
  const response = new Response(body as ConstructorParameters<typeof Response>[0], { status, headers })
  for (const cookie of setCookies) response.headers.append('Set-Cookie', cookie)
  return response
}
