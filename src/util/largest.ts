/** 0 for none. As arguments of `Math.max`, a hundred thousand numbers do not fit on the stack. */
export function largest(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number), 0)
}
