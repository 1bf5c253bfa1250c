/** One line on a terminal that is written over: what is done, how fast, and how long it will take. */
export interface ProgressLine<T> {
  show(step: T): void
  /** Before something else is written, and at the end. */
  clear(): void
}

export interface Progress {
  readonly about: string
  readonly done: number
  /** Null where it is not known. */
  readonly total: number | null
}

const REDRAW_MILLISECONDS = 100
const BAR_WIDTH = 24

/** Writes nothing unless the stream is a terminal. */
export function createProgressLine<T>(
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>,
  progressOf: (step: T) => Progress,
): ProgressLine<T> {
  let shownAt = Number.NEGATIVE_INFINITY
  let first: { readonly about: string; readonly at: number; readonly done: number } | null = null
  let isShown = false
  return {
    show(step) {
      const now = performance.now()
      const progress = progressOf(step)
      // What an earlier run, or another phase, has done says nothing about how fast this one is.
      if (first?.about !== progress.about) first = { about: progress.about, at: now, done: progress.done }
      if (stream.isTTY !== true || now - shownAt < REDRAW_MILLISECONDS) return
      shownAt = now
      isShown = true
      stream.write(`\r\u001b[2K${formatProgress(progress, progress.done - first.done, now - first.at)}`)
    },
    clear() {
      if (isShown) stream.write('\r\u001b[2K')
      isShown = false
      shownAt = Number.NEGATIVE_INFINITY
    },
  }
}

/** `rows  4800  800/s`, or `entries  [######..................]  25 %  1200 of 4800  800/s  5 s left` */
export function formatProgress({ about, done, total }: Progress, fresh: number, milliseconds: number): string {
  const rate = milliseconds > 0 ? (fresh * 1000) / milliseconds : 0
  if (total === null) return `${about}  ${done}  ${Math.round(rate)}/s`
  const part = total === 0 ? 1 : done / total
  const bar = '#'.repeat(Math.floor(part * BAR_WIDTH)).padEnd(BAR_WIDTH, '.')
  const left = rate > 0 && done < total ? `  ${Math.ceil((total - done) / rate)} s left` : ''
  return `${about}  [${bar}]  ${Math.floor(part * 100)} %  ${done} of ${total}  ${Math.round(rate)}/s${left}`
}
