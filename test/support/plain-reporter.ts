import { writeSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule, TestRunEndReason, Vitest } from 'vitest/node'

/**
 * Ends the output with one plain line, `N passed, N failed`, for whoever reads only the last line. Counted as failed
 * are also a file that cannot be loaded, a hook that throws, and an error outside any test: each of them means that
 * tests did not run. An engine that could not be had is a skip with its reason, and in CI a failure.
 */
export class PlainReporter implements Reporter {
  #vitest: Vitest | null = null
  #last = ''

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
    // At exit, because other reporters and the teardown still write after the run has ended.
    process.on('exit', () => {
      if (this.#last) writeSync(1, this.#last)
    })
  }

  onTestRunEnd(
    modules: ReadonlyArray<TestModule>,
    unhandled: ReadonlyArray<SerializedError>,
    reason: TestRunEndReason,
  ): void {
    let passed = 0
    let skipped = 0
    let failed = unhandled.length
    for (const module of modules) {
      failed += module.errors().length
      for (const suite of module.children.allSuites()) failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'failed') failed += 1
        else skipped += 1
      }
    }
    // An interrupted run has no result to be proud of.
    if (reason === 'interrupted') failed += 1

    const ci = process.env.CI === 'true'
    const engines = this.#vitest?.getRootProject().getProvidedContext().engines
    const notes = (engines?.missing ?? []).map(({ name, why }) => `${ci ? 'FAILED' : 'skipped'}: ${name}: ${why}\n`)
    if (ci) failed += notes.length
    else skipped += notes.length
    // The runner knows nothing of the engines, and counts a run without them as good.
    if (failed > 0) process.exitCode = 1
    this.#last = `${notes.join('')}${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`
  }
}
