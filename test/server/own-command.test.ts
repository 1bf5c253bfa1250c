import { expect, test } from 'vitest'
import { ownCommand, quoteForShell } from '../../src/server/own-command.ts'

test.each([
  ['/app/node_modules/.bin/gatebook', '/app', '/app/node_modules/.bin:/usr/bin', 'npx gatebook'],
  ['/app/node_modules/gatebook/dist/cli/bin.cjs', '/app', '/usr/bin', 'npx gatebook'],
  ['/usr/local/bin/gatebook', '/srv', '/usr/local/bin:/usr/bin', 'gatebook'],
  ['/src/gatebook/dist/cli/bin.cjs', '/src/gatebook', '/usr/bin', 'node dist/cli/bin.cjs'],
  ['/src/gatebook/dist/cli/bin.cjs', '/srv', '/usr/bin', 'node /src/gatebook/dist/cli/bin.cjs'],
  ['/src/gate book/dist/cli/bin.cjs', '/src', '/usr/bin', "node 'gate book/dist/cli/bin.cjs'"],
])('%s is called again in the same way', (script, folder, path, command) => {
  expect(ownCommand({ script, folder, environment: { PATH: path } })).toBe(command)
})

test('words are quoted for a shell', () => {
  expect(quoteForShell("it's")).toBe("'it'\\''s'")
  expect(quoteForShell('sqlite:a.db')).toBe('sqlite:a.db')
})
