import type { OperatorName } from './operators.ts'

/** One condition: the event has one of the values or, negated, none of them. */
export interface QueryTerm {
  readonly operator: OperatorName
  readonly negated: boolean
  /** As they were typed, without quotes; one for times, which stay relative here. */
  readonly values: readonly string[]
}
