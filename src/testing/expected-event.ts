import { isDeepStrictEqual } from 'node:util'
import { EVENT_TYPES, type EventType, type Outcome } from '../event/catalogue.ts'
import type { LogEvent } from '../event/event.ts'

/**
 * What a test says about one event: a text of type, outcome and reason, of which only the type is needed
 * (`login.failed wrong-password`), or some members. What is left out is not compared.
 */
export type ExpectedEvent = string | ExpectedMembers

export interface ExpectedMembers {
  readonly type: string
  readonly outcome?: Outcome
  /** Null: none. */
  readonly reason?: string | null
  /** Id of the user whom the event is about; a number counts as its decimal text. Null: nobody. */
  readonly subject?: string | number | null
  /** Members of `data` that must be there and equal; others may be there too. */
  readonly data?: Readonly<Record<string, unknown>>
}

const OUTCOMES: readonly string[] = ['success', 'failure', 'denied'] satisfies Outcome[]
const MEMBERS: readonly string[] = ['type', 'outcome', 'reason', 'subject', 'data'] satisfies (keyof ExpectedMembers)[]

/** Throws TypeError for a type, reason or member that no event has: it would never fit, and a typo should say so. */
export function parseExpected(expected: ExpectedEvent): ExpectedMembers {
  const members = typeof expected === 'string' ? parseText(expected) : expected
  const unknown = Object.keys(members).find((name) => !MEMBERS.includes(name))
  if (unknown !== undefined) throw new TypeError(`An expected event has no member ${unknown}.`)
  const { type, outcome, reason } = members
  if (typeof type !== 'string') throw new TypeError('An expected event has a type.')
  if (type.startsWith('app.')) return members
  const row = (EVENT_TYPES as Readonly<Record<string, EventType | undefined>>)[type]
  if (row === undefined) throw new TypeError(`There is no event type ${type}.`)
  if (outcome !== undefined && !row.outcomes.includes(outcome)) {
    throw new TypeError(`${type} never has the outcome ${outcome}, only ${row.outcomes.join(', ')}.`)
  }
  if (typeof reason === 'string' && !row.reasons.includes(reason)) {
    throw new TypeError(`${type} never has the reason ${reason}, only ${row.reasons.join(', ') || 'none'}.`)
  }
  return members
}

function parseText(text: string): ExpectedMembers {
  const [type = '', ...words] = text.split(' ')
  const outcome = OUTCOMES.includes(words[0] as string) ? (words.shift() as Outcome) : undefined
  const reason = words.shift()
  if (words.length > 0) throw new TypeError(`${JSON.stringify(text)} is more than type, outcome and reason.`)
  return { type, ...(outcome !== undefined && { outcome }), ...(reason !== undefined && { reason }) }
}

export function fits(event: LogEvent, expected: ExpectedMembers): boolean {
  const { outcome, reason, subject, data = {} } = expected
  return (
    event.type === expected.type &&
    (outcome === undefined || event.outcome === outcome) &&
    (reason === undefined || event.reason === reason) &&
    (subject === undefined || event.subject === (typeof subject === 'number' ? String(subject) : subject)) &&
    Object.entries(data).every(
      ([name, value]) => Object.hasOwn(event.data, name) && isDeepStrictEqual(event.data[name], value),
    )
  )
}

/** One line for people, of an event that was left and of an expected one alike. */
export function describeEvent({ type, outcome, reason, subject, data = {} }: ExpectedMembers): string {
  const words = [type, outcome, reason === null ? undefined : reason].filter((word) => word !== undefined)
  if (subject !== undefined && subject !== null) words.push(`of ${subject}`)
  if (Object.keys(data).length > 0) words.push(JSON.stringify(data))
  return words.join(' ')
}
