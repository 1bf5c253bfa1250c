import { describe, expect, test } from 'vitest'
import { matchesShown, parseBlocks, parseWalk } from './marked-blocks.ts'

const PAGE = [
  'Text',
  '<!-- test: embed run -->',
  '```ts',
  'a()',
  '```',
  '```sh',
  'npm start',
  '```',
  '<!-- test: walk -->',
  '',
  '```sh',
  'one',
  '```',
].join('\n')

describe('fenced blocks', () => {
  test('are found with their marks', () => {
    expect(parseBlocks(PAGE)).toEqual([
      { name: 'embed', mode: 'run', language: 'ts', text: 'a()\n', line: 2 },
      { name: '', mode: 'check', language: 'sh', text: 'npm start\n', line: 6 },
      { name: 'walk', mode: 'check', language: 'sh', text: 'one\n', line: 9 },
    ])
  })
})

describe('a walk', () => {
  test('is cut into commands and what they print', () => {
    expect(parseWalk('# first\na=1\n\necho $a\n#> 1\n#>\n#> 2\necho\n')).toEqual([
      { commands: '# first\na=1\n\necho $a', output: ['1', '', '2'] },
      { commands: 'echo\n', output: null },
    ])
  })

  test.each([
    ['a {"x":1}', ['a {"x":1}'], true],
    ['a {"x":1}', ['a {"x":…}'], true],
    ['a {"x":1}\nb', ['a {"x":…}'], false],
    ['a\nb\nc', ['a', '…'], true],
    ['a\nb\nc', ['…', 'c'], true],
    ['a\nb\nc', ['…', 'b'], false],
    ['aXb', ['a.b'], false],
    ['', ['a'], false],
  ])('that prints %j is shown as %j: %j', (printed, shown, wanted) => {
    expect(matchesShown(printed, shown)).toBe(wanted)
  })
})
