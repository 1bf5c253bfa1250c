/**
 * Node 22 and 24 announce on every start that their SQLite interface is experimental. The version that is used is tested
 * here; to the person at the terminal it says nothing. Every other warning passes.
 */
export function silenceSqliteWarning(): void {
  const emitWarning = process.emitWarning as (...values: unknown[]) => void
  process.emitWarning = (...values: unknown[]): void => {
    const [warning, type] = values
    const name = typeof type === 'string' ? type : (type as { type?: string } | undefined)?.type
    if (name === 'ExperimentalWarning' && /sqlite/i.test(String(warning))) return
    emitWarning.apply(process, values)
  }
}
