import type { Guard } from '../guard.ts'

/** For a database that is gone with the process. */
export function createMemoryGuard(): Guard {
  let note: string | null = null
  let taken = false
  return {
    location: 'memory',
    async tryLock() {
      if (taken) return null
      taken = true
      return {
        read: async () => note,
        async write(next) {
          note = next
        },
        async unlock() {
          taken = false
        },
      }
    },
    peek: async () => note,
    async close() {},
  }
}
