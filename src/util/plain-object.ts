/** An object literal, or one without a prototype: everything that it has is its own. */
export function isPlainObject(value: unknown): value is Readonly<Record<string | symbol, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
