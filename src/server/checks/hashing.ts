import { freemem } from 'node:os'
import { createArgon2idHasher } from '../../credential/hashers/argon2id.ts'
import type { Check } from '../check.ts'
import type { Finding } from '../findings.ts'

const OWASP = { memoryKib: 19_456, iterations: 2 }
const SLOW_MILLISECONDS = 1000

/** How long one hash takes with the parameters in force, and what as many as may run at once take of the memory. */
export const hashing: Check = {
  name: 'hashing',
  async run({ settings }) {
    if (settings === null) return []
    const { argon2MemoryKib: memoryKib, argon2Iterations: iterations, argon2Parallelism: parallelism } = settings
    const hasher = createArgon2idHasher({ memoryKib, iterations, parallelism })
    await hasher.hash('the first one loads the library')
    const begun = performance.now()
    await hasher.hash('the second one is timed')
    const milliseconds = Math.round(performance.now() - begun)
    const mebibytes = Math.round((settings.hashConcurrency * memoryKib) / 1024)
    const findings: Finding[] = []
    if (memoryKib * iterations < OWASP.memoryKib * OWASP.iterations) findings.push({ code: 'hash-cheap' })
    if (milliseconds > SLOW_MILLISECONDS) findings.push({ code: 'hash-slow', figures: { milliseconds } })
    // What the cgroup allows, where there is one.
    const free = Math.min(freemem(), process.availableMemory?.() || Number.POSITIVE_INFINITY)
    if (mebibytes * 2 ** 20 * 2 > free) findings.push({ code: 'hash-memory', figures: { mebibytes } })
    const at_once = settings.hashConcurrency
    return findings.length > 0 ? findings : [{ code: 'hash-ok', figures: { milliseconds, at_once, mebibytes } }]
  },
}
