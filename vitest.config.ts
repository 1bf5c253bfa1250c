import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { PlainReporter } from './test/support/plain-reporter.ts'

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'bench/**', 'dist/**', 'examples/**', 'test/package/**'],
    globalSetup: ['test/support/global-setup.ts'],
    reporters: ['default', new PlainReporter()],
    // Processes, not threads: tests load native addons, change the environment and start servers.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})

export default config
