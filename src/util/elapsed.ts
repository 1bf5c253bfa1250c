/**
 * Milliseconds since this was called, by the clock that goes further: the one that nobody sets stands still while the machine
 * sleeps, and the other one can be set back.
 */
export function startElapsed(): () => number {
  const [monotonic, wall] = [performance.now(), Date.now()]
  return () => Math.max(performance.now() - monotonic, Date.now() - wall)
}
