import { sql } from 'kysely'
import { EVENT_TYPES } from '../../event/catalogue.ts'
import type { Store } from '../../store/store.ts'
import {
  EVIDENCE_COLUMNS,
  type EventColumnsRow,
  isProven,
  type Proven,
  proveEvents,
  type Unproven,
} from './evidence.ts'
import type { CheckParts, Problem } from './row-check.ts'
import { unprovenProblem } from './row-check.ts'

/** Events that are read at a time. */
const PAGE = 512
/** Of event rows that prove nothing, so many are named of one fact: whoever can insert one can insert a million. */
const UNPROVEN_NAMED = 4

/** How things stand with one fact, e.g. a role of a user. */
export interface Standing {
  /** The newest event by its place in the log. */
  readonly newest: Proven | null
  readonly problems: readonly Problem[]
}

export const NO_STANDING: Standing = { newest: null, problems: [] }

export interface StandingQuestion {
  readonly subjectIds: readonly string[]
  readonly types: readonly string[]
  /** Log-ins too that have replaced the hash of the password. */
  readonly rehashes?: true
  /** Which fact an event is about; null for none. */
  readonly factOf: (columns: EventColumnsRow) => string | null
  /** The facts that event rows without a proof are told of. */
  readonly facts: ReadonlySet<string>
}

/** The types that write a password. */
export const PASSWORD_TYPES: readonly string[] = Object.entries(EVENT_TYPES)
  .filter(([, { state }]) => state?.credential === 'always')
  .map(([type]) => type)

/**
 * The newest event of each fact about these subjects. Reads `by_subject`, in whose entries the type stands: so whatever else
 * happened to a subject costs an entry of the index, and an event of these types three look-ups.
 */
export async function readStandings(
  { store, isAuthentic }: CheckParts,
  question: StandingQuestion,
): Promise<ReadonlyMap<string, Standing>> {
  const facts = new Map<string, { byPlace: Proven | null; byNumber: Proven | null; unproven: Unproven[] }>()
  for await (const page of readPages(store, question)) {
    for (const event of await proveEvents(store, page, isAuthentic)) {
      const fact = question.factOf(event.columns)
      if (fact === null || (!isProven(event) && !question.facts.has(fact))) continue
      const known = facts.get(fact) ?? { byPlace: null, byNumber: null, unproven: [] }
      facts.set(fact, known)
      if (!isProven(event)) {
        if (known.unproven.length < UNPROVEN_NAMED) known.unproven.push(event)
        continue
      }
      if (known.byPlace === null || event.place > known.byPlace.place) known.byPlace = event
      if (known.byNumber === null || Number(event.columns.number) > Number(known.byNumber.columns.number)) {
        known.byNumber = event
      }
    }
  }
  return new Map(
    [...facts].map(([fact, { byPlace, byNumber, unproven }]) => {
      const problems = unproven.map(unprovenProblem)
      if (byPlace !== byNumber) {
        problems.push({ code: 'event-order-differs', detail: `the newest by number is ${byNumber!.leaf.id}` })
      }
      return [fact, { newest: byPlace, problems }]
    }),
  )
}

async function* readPages(store: Store, question: StandingQuestion): AsyncGenerator<readonly EventColumnsRow[]> {
  let ids = [...question.subjectIds].sort(compareBytes)
  let after: EventColumnsRow | undefined
  for (;;) {
    const page = await store.read((db) =>
      db
        .selectFrom('gatebook_event')
        .select(EVIDENCE_COLUMNS)
        .where(({ eb, and, or }) => {
          const rest = ids.length === 0 ? [] : [eb('subject_id', 'in', ids)]
          if (after === undefined) return or(rest)
          return or([and([eb('subject_id', '=', after.subject_id), eb('number', '>', after.number)]), ...rest])
        })
        .where(({ eb, and, or }) => {
          const listed = eb('type', 'in', question.types)
          if (question.rehashes === undefined) return listed
          return or([listed, and([eb('type', '=', 'login.succeeded'), eb('data', 'like', '%"rehashed":true%')])])
        })
        .orderBy('subject_id')
        .orderBy('number')
        .limit(sql.lit(PAGE))
        .execute(),
    )
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    after = page.at(-1)
    const reached = after!.subject_id!
    ids = ids.filter((id) => compareBytes(id, reached) > 0)
  }
}

/** As every engine orders its keys. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
