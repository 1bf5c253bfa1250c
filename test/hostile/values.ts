/** Draws numbers that are the same for the same seed, so that a failure can be repeated (mulberry32). */
export class Lot {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }
}

/** Texts that break some parser, column, collation, terminal, spreadsheet or line of a file. */
export const TEXTS: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\n',
  'a\r\nSet-Cookie: planted=1',
  'a\r\nX-Injected: yes\r\n\r\nbody',
  '"}\n{"level":"error","message":"forged"}',
  '\u001b[2J\u001b[31mred\u001b]0;title\u0007',
  '\u009b31m',
  '\u0085\u2028\u2029',
  '\u202egnp.exe',
  '\u2066isolated',
  '\u200b\u200d\ufeff',
  '\ud800',
  'x\udfffy',
  '\uffff\ufffe',
  '\u{10ffff}',
  'e\u0301'.repeat(40),
  `a${'\u0315'.repeat(300)}`,
  '😀'.repeat(80),
  '👨‍👩‍👧‍👦',
  // Each becomes eighteen characters under NFKC.
  '\ufdfa'.repeat(18),
  '\ufdfa'.repeat(320),
  'ß'.repeat(320),
  'İ'.repeat(320),
  '\u0390'.repeat(256),
  "=cmd|' /C calc'!A0",
  '+1+1',
  '-2+3',
  '@SUM(A1:A9)',
  '\t=1+1',
  "' OR 1=1 --",
  '"; DROP TABLE gatebook_event; --',
  '%',
  '_',
  '\\',
  "\\'",
  '../../etc/passwd',
  '%00',
  '%2e%2e%2f',
  '#{7*7}',
  '{{constructor.constructor("return 1")()}}',
  '<script>alert(1)</script>',
  '__proto__',
  'constructor',
  'toString',
  'null',
  'NaN',
  '1e999',
  '０１２',
  'аnna@app.example',
  'anna@app.example.',
  'ANNA@APP.EXAMPLE',
  'a@b@c',
  '"quoted"@app.example',
  'a@[127.0.0.1]',
  'anna@app.example, boss@app.example',
  'anna@app.example\u0000.invalid',
]

const LENGTHS = [1, 64, 127, 128, 129, 255, 256, 257, 319, 320, 321, 511, 512, 513, 1000, 1024, 1025, 4096, 20_000]

export function drawText(lot: Lot): string {
  if (lot.once(4)) return lot.pick(['a', 'é', '한', '😀', '\u0301', 'ﷺ', ' ', '='] as const).repeat(lot.pick(LENGTHS))
  if (lot.once(6)) return `${lot.pick(TEXTS)}${lot.pick(TEXTS)}`
  if (lot.once(8)) {
    const units = Array.from({ length: 1 + lot.below(40) }, () => lot.below(0x10000))
    return String.fromCharCode(...units)
  }
  return lot.pick(TEXTS)
}

/** JSON as it is written, for what `JSON.stringify` would not write. */
const RAW_VALUES = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e308',
  '1e400',
  '9007199254740993',
  '99999999999999999999999999',
  '[]',
  '{}',
  '[null]',
  '[[]]',
  '{"__proto__":{"admin":true}}',
  '{"toString":1}',
  '["a","b"]',
  '"\\ud800"',
  '"\\u0000"',
  'NaN',
  'Infinity',
  'undefined',
  "'x'",
  '01',
  '.5',
  '+1',
  '"a\nb"',
  '"\\x41"',
] as const

export function drawRawValue(lot: Lot): string {
  if (lot.once(10)) return nested(lot.pick([2, 20, 200, 2000, 20_000]), lot.pick(['[', '{"a":']))
  return lot.pick(RAW_VALUES)
}

function nested(depth: number, opening: '[' | '{"a":'): string {
  return `${opening.repeat(depth)}1${(opening === '[' ? ']' : '}').repeat(depth)}`
}
