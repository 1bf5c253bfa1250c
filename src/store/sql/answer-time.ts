/**
 * How long a server may take for one statement. Packets that a network drops without a word would be waited for until TCP
 * gives up, which takes a quarter of an hour, and the connections of the pool would be gone by then. Statements wait for
 * locks for 5 s at most.
 */
export const ANSWER_MILLISECONDS = 30_000

/** Building an index takes as long as it takes. */
export function isDefinition(sql: string): boolean {
  return /^\s*(create|alter|drop)\b/i.test(sql)
}
