import { GatebookError } from '../errors.ts'
import { INSTANT_EXAMPLES, parseInstant } from '../util/parse-instant.ts'

/** Epoch milliseconds of a time as `parseInstant` takes it, local where it has no offset. Throws ERR_USAGE naming the flag. */
export function parseTime(text: string, flag: string, now: number): number {
  const at = parseInstant(text, { now })
  if (at !== null) return at
  throw new GatebookError('ERR_USAGE', {
    detail: `${flag} takes a time such as ${INSTANT_EXAMPLES}, not ${JSON.stringify(text)}.`,
  })
}
