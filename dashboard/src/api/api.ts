import type { Client } from '../../../src/client/index.ts'
import { ApiError, readApiError, toApiError } from './api-error.ts'

export type Parameters = Readonly<Record<string, string | number | undefined>>

/** The admin API, by paths behind `/admin/api`. Everything throws ApiError. */
export interface Api {
  get<T>(path: string, parameters?: Parameters, signal?: AbortSignal): Promise<T>
  /** `POST`, `PATCH` and `DELETE`; undefined where the answer has no body. */
  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object, parameters?: Parameters): Promise<T>
  /** The answer as it comes, where it is a success. */
  open(path: string, init?: RequestInit): Promise<Response>
}

export function createApi(client: () => Pick<Client, 'fetch'>, prefix: string): Api {
  async function open(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response
    try {
      response = await client().fetch(path, init)
    } catch (error) {
      if ((error as { name?: string }).name === 'AbortError') throw new ApiError('ABORTED', 0)
      throw toApiError(error)
    }
    if (!response.ok) throw await readApiError(response)
    return response
  }
  async function read<T>(response: Response): Promise<T> {
    if (response.status === 204) return undefined as T
    return (await response.json().catch(() => {
      throw new ApiError('ERR_ANSWER_MALFORMED', response.status)
    })) as T
  }
  return {
    async get(path, parameters = {}, signal) {
      const headers = { Accept: 'application/json' }
      return read(await open(`${prefix}/api${path}${formatSearch(parameters)}`, { headers, ...(signal && { signal }) }))
    },
    async send(method, path, body, parameters = {}) {
      const sent =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
      return read(await open(`${prefix}/api${path}${formatSearch(parameters)}`, { method, ...sent }))
    },
    open,
  }
}

export function formatSearch(parameters: Parameters): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '')
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]))
  return given.length === 0 ? '' : `?${search}`
}
