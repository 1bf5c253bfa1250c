import type { Diagnostics } from '../options.ts'

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

/**
 * The ways in which a server process ends. The first signal runs `stop` and exits 0; the second exits at once. An error
 * that nobody caught is written down with its stack and ends the process too: what it left half done is not known.
 */
export function handleProcessEnd(stop: () => Promise<void>, diagnostics: Diagnostics): void {
  let signalled = false
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (signalled) process.exit(128 + number)
      signalled = true
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          diagnostics.error({ err: error }, 'the shutdown failed')
          process.exit(1)
        },
      )
    })
  }

  let failed = false
  function fail(error: unknown, message: string): void {
    diagnostics.error({ err: error instanceof Error ? error : new Error(String(error)) }, message)
    if (failed) return
    failed = true
    // The attempt to close may hang on the very thing that failed.
    setTimeout(() => process.exit(1), 5_000)
    stop().finally(() => process.exit(1))
  }
  process.on('uncaughtException', (error) => fail(error, 'an error that nothing caught'))
  process.on('unhandledRejection', (reason) => fail(reason, 'a rejection that nothing caught'))
}
