import { useState } from 'preact/hooks'

/**
 * A state that begins anew with each new `from`, as what is typed does with another address of the page. An effect would come after the first
 * letters of somebody who is quick, and take them away.
 */
export function useStateFrom<T>(from: string, begin: (from: string) => T): [T, (value: T) => void] {
  const [kept, keep] = useState({ from, value: begin(from) })
  const value = kept.from === from ? kept.value : begin(from)
  return [value, (next) => keep({ from, value: next })]
}
