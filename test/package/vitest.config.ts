import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { PlainReporter } from '../support/plain-reporter.ts'

// Apart from the other tests, because it installs from a registry and needs no database.
const config: ViteUserConfig = defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/package/*.test.ts'],
    reporters: ['default', new PlainReporter()],
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
})

export default config
