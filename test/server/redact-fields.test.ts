import { describe, expect, test } from 'vitest'
import { createDiagnostics } from '../../src/server/diagnostics.ts'
import { escapeUnsafe, formatSafeJson } from '../../src/server/escape-unsafe.ts'
import { redactFields } from '../../src/server/redact-fields.ts'

const SECRET = 'S3CRET-value'

describe('diagnostics', () => {
  test('hold no secret, at any depth', () => {
    const fields = {
      authorization: `Bearer ${SECRET}`,
      headers: { Cookie: SECRET, 'set-cookie': [SECRET], 'x-api-key': SECRET },
      body: { current_password: SECRET, refreshToken: SECRET, list: [{ passwordHash: SECRET }] },
      secret: SECRET,
    }
    const text = JSON.stringify(redactFields(fields))
    expect(text).not.toContain(SECRET)
    expect(text).toContain('[redacted]')
  })

  test('keep what only sounds like one', () => {
    expect(redactFields({ token_type: 'Bearer', tokenId: 'tok_1', path: '/a' })).toEqual({
      token_type: 'Bearer',
      tokenId: 'tok_1',
      path: '/a',
    })
  })

  test("do not copy a driver's error, which carries the statement", () => {
    const error = Object.assign(new Error(`Duplicate entry '${SECRET}'`), {
      code: 'ER_DUP_ENTRY',
      sql: `insert into t values ('${SECRET}')`,
    })
    const described = redactFields({ err: error })
    expect(JSON.stringify(described)).not.toContain(SECRET)
    expect(described.err).toMatchObject({ type: 'Error', code: 'ER_DUP_ENTRY' })
    expect((described.err as { stack: string[] }).stack[0]).toContain('redact-fields.test.ts')
  })

  test('say what is wrong when the mistake is in the code', () => {
    expect(redactFields({ err: new TypeError('x is not a function') }).err).toMatchObject({
      message: 'x is not a function',
    })
  })

  test('are JSON lines for programs and short lines for people', () => {
    const lines: string[] = []
    const write = (line: string): void => void lines.push(line)
    createDiagnostics({ level: 'warn', human: false, write }).warn({ token: SECRET, n: 1 }, 'careful')
    createDiagnostics({ level: 'warn', human: true, write }).warn({ n: 1, agent: '\u001b[2J' }, 'careful')
    createDiagnostics({ level: 'warn', human: true, write }).info({}, 'not shown')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', message: 'careful', n: 1, token: '[redacted]' })
    expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d warn {2}careful {2}n=1 {2}agent=\\u001b\[2J\n$/)
    expect(lines).toHaveLength(2)
  })
})

describe('text that somebody else wrote', () => {
  test('is shown and never obeyed', () => {
    expect(escapeUnsafe('a\u001b[31m\u009bb\u202ec\u2066\u200f\u061c\u0007\r\n\u007f\ud800d')).toBe(
      'a\\u001b[31m\\u009bb\\u202ec\\u2066\\u200f\\u061c\\u0007\\u000d\\u000a\\u007f\\ud800d',
    )
    expect(escapeUnsafe('Ünïcode 漢字 👩‍👩‍👧 stays')).toBe('Ünïcode 漢字 👩‍👩‍👧 stays')
  })

  test('survives in JSON', () => {
    const value = { agent: '\u009b\u202e\u{e0041}\ud800\u001b' }
    const text = formatSafeJson(value)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be there
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    expect(JSON.parse(text)).toEqual(value)
  })
})
