import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCookie } from '../../src/http/cookie.ts'

const NAME = '__Host-gatebook-access'
const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln'
/** What a token that is nobody's is read as. */
const REFUSED = ''

describe('the value of a cookie', () => {
  test.each<[header: string | null, found: string | null]>([
    [null, null],
    ['', null],
    [`${NAME}=${TOKEN}`, TOKEN],
    [`a=1; ${NAME}=${TOKEN}; b=2`, TOKEN],
    // Cookies of the application, whatever they look like.
    [`a; =; ="; ; x="y; ${NAME}=${TOKEN}`, TOKEN],
    [`a="; ${NAME}=${TOKEN}`, TOKEN],
    [`a=1, ${NAME}=${TOKEN}`, null],
    [`__host-gatebook-access=${TOKEN}`, null],
    [`gatebook-access=${TOKEN}`, null],
    [`x${NAME}=${TOKEN}`, null],
    [`${NAME}x=${TOKEN}`, null],
    [`\u00a0${NAME}=${TOKEN}`, null],
    [`a=1;\u2000${NAME}=${TOKEN}`, null],
    [`"${NAME}"=${TOKEN}`, null],
    // A cookie without a name, whose value looks like ours.
    [`=${NAME}=${TOKEN}`, null],
    // Two, alike or not, and one of them in disguise.
    [`${NAME}=${TOKEN}; ${NAME}=${TOKEN}`, REFUSED],
    [`${NAME}=${TOKEN}; ${NAME}=x`, REFUSED],
    [`${NAME}=${TOKEN}; ${NAME}`, REFUSED],
    [`${NAME}; ${NAME}=${TOKEN}`, REFUSED],
    [`${NAME}=${TOKEN};\t${NAME} =`, REFUSED],
    [`${NAME}=${TOKEN};${NAME}=${TOKEN}; ${NAME}=${TOKEN}`, REFUSED],
    // Not as a browser writes it.
    [`a=1;${NAME}=${TOKEN}`, REFUSED],
    [`a=1;  ${NAME}=${TOKEN}`, REFUSED],
    [` ${NAME}=${TOKEN}`, REFUSED],
    [`${NAME} =${TOKEN}`, REFUSED],
    [`${NAME}= ${TOKEN}`, REFUSED],
    [`${NAME}=${TOKEN} `, REFUSED],
    [`${NAME}="${TOKEN}"`, REFUSED],
    [`${NAME}=${TOKEN},a=1`, REFUSED],
    [`${NAME}=${TOKEN}=`, REFUSED],
    [`${NAME}=`, REFUSED],
    [NAME, REFUSED],
    [`${NAME}=a%2eb`, REFUSED],
    [`${NAME}=a\u0000b`, REFUSED],
    [`${NAME}=ä`, REFUSED],
    [`${NAME}=${'a'.repeat(4097 - NAME.length - 1)}`, REFUSED],
    [`${NAME}=${TOKEN}; a=${'a'.repeat(40_000)}`, REFUSED],
  ])('in %j', (header, found) => {
    expect(findCookie(header, NAME)).toBe(found)
  })

  test('may be as long as a cookie can be', () => {
    const longest = 'a'.repeat(4096 - NAME.length - 1)
    expect(findCookie(`${NAME}=${longest}`, NAME)).toBe(longest)
  })
})

const token = fc.stringMatching(/^[A-Za-z0-9._-]{1,60}$/)
const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    NAME,
    `${NAME}=`,
    `${NAME}=x`,
    '=',
    ';',
    '; ',
    ' ',
    '\t',
    '"',
    ',',
    '\u00a0',
    '\0',
    '\r\n',
    '%3d',
    'a=1',
  ),
)
const hostile = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

/** How often a name stands before the `=` of a part, blanks aside: said another way than the parser does. */
function occurrences(header: string): number {
  return header.split(';').filter((part) => /^[ \t]*([^=]*?)[ \t]*(?:=|$)/s.exec(part)?.[1] === NAME).length
}

describe('of any header', () => {
  test('is null, refused, or the one token that stands there as a browser writes it', () => {
    fc.assert(
      fc.property(hostile, (header) => {
        const found = findCookie(header, NAME)
        if (found === null) expect(occurrences(header)).toBe(0)
        else if (found !== REFUSED) {
          expect(occurrences(header)).toBe(1)
          expect(found).toMatch(/^[A-Za-z0-9._-]+$/)
          expect(`; ${header};`).toContain(`; ${NAME}=${found};`)
        } else expect(occurrences(header)).toBeGreaterThan(0)
      }),
      { numRuns: 5000 },
    )
  })

  test('is found among other cookies, and refused as soon as there is a second one', () => {
    const other = hostile.map((text) => text.replaceAll(NAME, 'other').replaceAll(';', ''))
    fc.assert(
      fc.property(
        fc.array(other, { maxLength: 8 }),
        fc.nat(8),
        fc.nat(9),
        token,
        token,
        (others, at, more, value, second) => {
          const pairs = others.toSpliced(at, 0, `${NAME}=${value}`)
          expect(findCookie(pairs.join('; '), NAME)).toBe(value)
          expect(findCookie(pairs.toSpliced(more, 0, `${NAME}=${second}`).join('; '), NAME)).toBe(REFUSED)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
