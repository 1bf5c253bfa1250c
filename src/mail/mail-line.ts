import type { Diagnostics } from '../options.ts'

/** One message, and what to do to send it. */
export interface Mail {
  /** For diagnostics: what kind of mail, never to whom. */
  readonly kind: 'reset' | 'confirm' | 'invite'
  /** Whom it names: user id and normalised identifier, as far as there are any. */
  readonly names: readonly (string | null)[]
  send(): void | Promise<void>
}

/**
 * Sends mail after the request that asked for it has been answered. Whether there is anything to send must not be seen in
 * the time of an answer, so nothing is begun at once, and the pause is drawn by lot.
 *
 * What waits is in memory: a process that is killed sends it never, and its user asks again.
 */
export interface MailLine {
  /** Never throws and never waits. Past the limit the mail is dropped, with a line in the diagnostics. */
  add(mail: Mail): void
  /** Drops what waits and names one of these. */
  forget(names: readonly string[]): void
  /** Sends what waits at once, as far as that takes no more than some seconds. */
  close(): Promise<void>
}

const AT_ONCE = 4
const LIMIT = 1000
const PAUSE: readonly [number, number] = [200, 1200]
/** Milliseconds before the second and the third try. */
const RETRIES: readonly number[] = [2000, 10_000]
const CLOSING_MILLISECONDS = 5000

export function createMailLine(diagnostics: Diagnostics): MailLine {
  const waiting: { readonly mail: Mail; readonly tries: number }[] = []
  /** Until they have waited long enough. */
  const timers = new Map<NodeJS.Timeout, () => void>()
  const underWay = new Set<Promise<void>>()
  let closing = false
  /** Not sent yet, and not to be forgotten. */
  const open = new Set<Mail>()

  function later(milliseconds: number, work: () => void): void {
    const run = (): void => {
      clearTimeout(timer)
      timers.delete(timer)
      work()
    }
    const timer = setTimeout(run, milliseconds)
    timers.set(timer, run)
  }

  function enter(mail: Mail, tries: number): void {
    waiting.push({ mail, tries })
    fill()
  }

  function fill(): void {
    while (underWay.size < AT_ONCE && waiting.length > 0) {
      const { mail, tries } = waiting.shift()!
      const sending = sendOne(mail, tries).finally(() => {
        underWay.delete(sending)
        fill()
      })
      underWay.add(sending)
    }
  }

  async function sendOne(mail: Mail, tries: number): Promise<void> {
    if (!open.has(mail)) return
    try {
      await mail.send()
      open.delete(mail)
    } catch (error) {
      const pause = closing || !open.has(mail) ? undefined : RETRIES[tries]
      diagnostics.error(
        { err: error, mail: mail.kind, try: tries + 1 },
        pause === undefined ? 'A mail could not be sent.' : 'A mail could not be sent; it is tried again.',
      )
      if (pause === undefined) open.delete(mail)
      else later(pause, () => enter(mail, tries + 1))
    }
  }

  return {
    add(mail) {
      if (closing || waiting.length + timers.size >= LIMIT) {
        diagnostics.error(
          { mail: mail.kind, waiting: waiting.length + timers.size },
          'A mail was dropped: too many wait.',
        )
        return
      }
      open.add(mail)
      const [least, most] = PAUSE
      later(least + Math.random() * (most - least), () => enter(mail, 0))
    },

    forget(names) {
      for (const mail of open) {
        if (mail.names.some((name) => name !== null && names.includes(name))) open.delete(mail)
      }
    },

    async close() {
      closing = true
      for (const run of [...timers.values()]) run()
      const gone = AbortSignal.timeout(CLOSING_MILLISECONDS)
      const timeIsUp = new Promise<void>((resolve) => gone.addEventListener('abort', () => resolve(), { once: true }))
      while (underWay.size > 0 && !gone.aborted) await Promise.race([...underWay, timeIsUp])
      const left = waiting.length + underWay.size
      waiting.length = 0
      if (left > 0) diagnostics.error({ mails: left }, 'Some mails were not sent before the end.')
    },
  }
}
