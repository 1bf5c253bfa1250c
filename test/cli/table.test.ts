import { describe, expect, test } from 'vitest'
import { EVENT_COLUMNS } from '../../src/cli/event-columns.ts'
import { type Column, cutText, displayWidth, printRows, printTable } from '../../src/cli/table.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import type { LogEvent } from '../../src/event/event.ts'

function createRecorder(width: number | null): Terminal & { lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    width,
    line: (text) => void lines.push(text),
    json: () => {},
    csv: () => {},
    note: () => {},
    next: () => {},
    paint: (_colour, text) => text,
  }
}

const EVENT: LogEvent = {
  number: 1,
  id: 'evt_01k9zzzzzzzzzzzzzzzzzzzzzz',
  type: 'session.refresh-refused',
  outcome: 'denied',
  reason: 'superseded',
  at: Date.UTC(2025, 10, 24),
  actor: { kind: 'anonymous', id: null },
  subject: null,
  identifier: `${'漢字'.repeat(20)}@example.org`,
  identifierMask: null,
  identifierHmac: null,
  sessionId: null,
  tokenId: null,
  method: null,
  ip: '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
  ipSource: 'socket',
  userAgent: `evil\u001b]0;title\u0007\u009b31m\u202e${'x'.repeat(400)}`,
  deviceId: null,
  requestId: null,
  traceId: null,
  data: {},
}

describe('a table', () => {
  test.each([200, 160, 120, 100, 80, 60])('of events fits %i columns', (width) => {
    const terminal = createRecorder(width)
    printTable(terminal, EVENT_COLUMNS, [EVENT, { ...EVENT, identifier: null, userAgent: null }])
    printRows(terminal, EVENT_COLUMNS)(EVENT)
    expect(terminal.lines).toHaveLength(4)
    for (const line of terminal.lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
  })

  test('in a file is not cut, and nothing in it is obeyed', () => {
    const terminal = createRecorder(null)
    printTable(terminal, EVENT_COLUMNS, [EVENT])
    expect(terminal.lines[1]).toContain('x'.repeat(400))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there
    expect(terminal.lines.join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(terminal.lines[1]).toContain('evil\\u001b]0;title\\u0007\\u009b31m\\u202e')
  })

  test('lines up wide characters', () => {
    const terminal = createRecorder(80)
    const columns: Column<[string, string]>[] = [
      { title: 'A', value: ([a]) => a, usual: 4 },
      { title: 'B', value: ([, b]) => b, usual: 4 },
    ]
    printTable(terminal, columns, [
      ['漢字', 'x'],
      ['e\u0301a', 'x'],
      ['👩‍👩‍👧', 'x'],
    ])
    expect(terminal.lines).toEqual(['A     B', '漢字  x', 'e\u0301a    x', '👩‍👩‍👧    x'])
  })

  test('text is cut between characters', () => {
    expect(cutText('abcdef', 4)).toBe('abc…')
    expect(cutText('漢字漢字', 4)).toBe('漢…')
    expect(cutText('abc', 3)).toBe('abc')
  })
})
