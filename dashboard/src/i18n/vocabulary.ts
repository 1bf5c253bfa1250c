import type { EventTypeName } from '../../../src/event/catalogue.ts'
import type { OperatorName } from '../../../src/query/operators.ts'
import type { QueryErrorCode } from '../../../src/query/query-error.ts'

/** The words of the log: what the catalogue and the query language name, as a person reads it. */
export interface Vocabulary {
  /** Short, for lists. */
  readonly types: Readonly<Record<EventTypeName, string>>
  /** What has happened, in a sentence. */
  readonly typeAbout: Readonly<Record<EventTypeName, string>>
  /** Of each reason in the catalogue; `test/dashboard/texts.test.ts` looks for one that is missing. */
  readonly reasons: Readonly<Record<string, string>>
  /** Of an event of the application. */
  readonly ofApplication: string
  readonly operators: Readonly<Record<OperatorName, string>>
  readonly queryErrors: Readonly<Record<QueryErrorCode, string>>
  /** In the place of the English hint of a QueryError; as it is where there is nothing to translate. */
  readonly hint: (hint: string) => string
}
