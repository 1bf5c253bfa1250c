import { OPTIONS } from '../options.ts'

/** Argon2id at the smallest parameters that the options allow, so that a test waits for what it is about. */
export const CHEAP_HASHES: {
  readonly argon2MemoryKib: number
  readonly argon2Iterations: number
  readonly argon2Parallelism: number
} = {
  argon2MemoryKib: OPTIONS.argon2MemoryKib.range![0],
  argon2Iterations: OPTIONS.argon2Iterations.range![0],
  argon2Parallelism: OPTIONS.argon2Parallelism.range![0],
}
