import type { z } from 'zod'
import { type ErrorCode, GatebookError } from '../errors.ts'

const MOST_MEMBERS = 10

/** What the schema makes of the input. Throws the code with `members`: where it is wrong, never what stands there. */
export function validate<T>(schema: z.ZodType<T>, input: unknown, code: ErrorCode): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const members = new Set<string>()
  for (const issue of result.error.issues) {
    const path = issue.path.map(String)
    if (issue.code !== 'unrecognized_keys') members.add(path.join('.') || '?')
    else for (const key of issue.keys) members.add([...path, spellable(key)].join('.'))
  }
  throw new GatebookError(code, { members: { members: [...members].slice(0, MOST_MEMBERS) } })
}

/** An unknown name is the caller's own text: it is repeated only where it looks like a misspelt name. */
function spellable(name: string): string {
  return /^[A-Za-z][A-Za-z_]{0,31}$/.test(name) ? name : '?'
}

/** Parameters as an object. Throws ERR_QUERY_INVALID for one that is given twice. */
export function readQuery(parameters: URLSearchParams): Record<string, string> {
  const query: Record<string, string> = Object.create(null)
  for (const [name, value] of parameters) {
    if (name in query) throw new GatebookError('ERR_QUERY_INVALID', { members: { members: [spellable(name)] } })
    query[name] = value
  }
  return { ...query }
}
