import { describe, expect, test } from 'vitest'
import { parseEventFilter } from '../../src/cli/event-filter.ts'
import { parseTime } from '../../src/cli/parse-time.ts'
import { formatTime } from '../../src/cli/terminal.ts'

const NOW = Date.UTC(2025, 10, 24, 12, 0, 0)

describe('a time on the command line', () => {
  test.each([
    ['15m', NOW - 15 * 60_000],
    ['24h', NOW - 24 * 3_600_000],
    ['7d', NOW - 7 * 86_400_000],
    ['2w', NOW - 14 * 86_400_000],
    ['0s', NOW],
    ['1764000000000', 1_764_000_000_000],
    ['2025-11-24T08:00:00Z', Date.UTC(2025, 10, 24, 8)],
    ['2025-11-24T08:00+01:00', Date.UTC(2025, 10, 24, 7)],
    ['2025-11-24 08:00:00 +0100', Date.UTC(2025, 10, 24, 7)],
    ['2024-02-29T00:00:00.5Z', Date.UTC(2024, 1, 29, 0, 0, 0, 500)],
  ])('%s', (text, at) => {
    expect(parseTime(text, '--since', NOW)).toBe(at)
  })

  test('without an offset is local', () => {
    expect(parseTime('2025-11-24', '--since', NOW)).toBe(new Date(2025, 10, 24).getTime())
    expect(parseTime('2025-11-24 08:30', '--since', NOW)).toBe(new Date(2025, 10, 24, 8, 30).getTime())
  })

  test('as it is printed is read back', () => {
    const at = Date.UTC(2025, 6, 1, 22, 30, 5)
    expect(parseTime(formatTime(at), '--since', NOW)).toBe(at)
  })

  test.each([
    '',
    'yesterday',
    '15',
    '-5m',
    '1h30m',
    '1764000000',
    '2025-13-01',
    '2025-02-30',
    '24.11.2025',
    '2025-11-24T25:00Z',
  ])('is not %j', (text) => {
    expect(() => parseTime(text, '--since', NOW)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', detail: expect.stringContaining('--since') }),
    )
  })
})

describe('filters', () => {
  test('are those of the library', () => {
    const flags = { type: 'session.*', outcome: 'denied', ip: '10.0.0.0/8', since: '1h', until: '2025-11-24T12:00Z' }
    expect(parseEventFilter(flags, NOW)).toEqual({
      type: 'session.*',
      outcome: 'denied',
      ip: '10.0.0.0/8',
      from: NOW - 3_600_000,
      to: NOW,
    })
  })

  test.each([
    [{ type: 'login.faild' }, 'Did you mean login.failed?'],
    [{ type: 'sesion' }, '--type does not know'],
    [{ outcome: 'failed' }, 'It is one of success, failure, denied.'],
    [{ reason: 'wrong-pasword' }, 'Did you mean wrong-password?'],
    [{ since: '1h', from: '2h' }, '--since and --from'],
    [{ since: '1h', until: '2h' }, 'not after'],
  ])('that can match nothing are refused: %j', (flags, hint) => {
    expect(() => parseEventFilter(flags, NOW)).toThrow(
      expect.objectContaining({ code: 'ERR_USAGE', detail: expect.stringContaining(hint) }),
    )
  })

  test("take the application's own types", () => {
    expect(parseEventFilter({ type: 'app.invoice.paid' }, NOW)).toEqual({ type: 'app.invoice.paid' })
  })
})
