import type { Lot } from './values.ts'

/** Stands in every password, token, cookie and query that the requests make up; it may come back nowhere. */
export const PLANTED = 'zq7planted'

/** A request before it is written: right, until mutations have been at it. */
export interface Draft {
  label: string
  method: string
  target: string
  version: string
  headers: [name: string, value: string | Buffer][]
  body: Buffer | null
  /** The body is JSON while it is mutated, and a form when it is sent. */
  isForm: boolean
  /** Framing of the body is up to the mutation. */
  framed: boolean
  lineEnd: string
}

export type Mutation = (draft: Draft, lot: Lot, planted: string) => void
