import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Argon2idOptions, createArgon2idHasher } from '../../src/credential/hashers/argon2id.ts'
import { isGatebookError } from '../../src/errors.ts'

// Cheap where the cost is not what is tested.
const CHEAP = { memoryKib: 64, iterations: 1, parallelism: 1 }
const cheap = createArgon2idHasher(CHEAP)

const PASSWORD = 'correct horse battery staple'

// Made with the reference implementation: Debian 12 `argon2` 0~20171227-0.3+deb12u1 (P-H-C/phc-winner-argon2), e.g.
// printf '%s' 'correct horse battery staple' | argon2 gatebook-salt-01 -id -k 19456 -t 2 -p 1 -l 32 -e
const OWASP_VECTOR = '$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZWJvb2stc2FsdC0wMQ$CrAa+6Hu1DuG6oj3p2P63g45BJD7UEvX3bRTJ0NuH5o'
const VECTORS: readonly { name: string; password: string; hash: string }[] = [
  { name: 'argon2id at the default parameters', password: PASSWORD, hash: OWASP_VECTOR },
  {
    name: 'argon2id of a password beyond ASCII',
    password: 'Pássword–ñ–密码–🔑',
    hash: '$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZWJvb2stc2FsdC0wMQ$P4ziuwThEZtwpDH1fovc/8NPYXe2+P1x/y+HGoEnHt8',
  },
  {
    name: 'argon2id, two lanes, 24 bytes',
    password: PASSWORD,
    hash: '$argon2id$v=19$m=64,t=3,p=2$Z2F0ZWJvb2stc2FsdC0wMQ$8IOD1n2bP8GDn+Bjy2KmFsGTW4SUnP5F',
  },
  {
    name: 'argon2i',
    password: PASSWORD,
    hash: '$argon2i$v=19$m=64,t=3,p=1$Z2F0ZWJvb2stc2FsdC0wMQ$ZbjJv4r1LPENGAfbLoV1WcZl5YWfVk9K+peBxjRBcXw',
  },
  {
    name: 'argon2d',
    password: PASSWORD,
    hash: '$argon2d$v=19$m=64,t=3,p=1$Z2F0ZWJvb2stc2FsdC0wMQ$s5PZEScmam9BZds2RVlzGNNgVcWaZCh8/CRkTGyeDCg',
  },
  {
    name: 'argon2id, version 0x10',
    password: PASSWORD,
    hash: '$argon2id$v=16$m=64,t=3,p=1$Z2F0ZWJvb2stc2FsdC0wMQ$xvhvuxlcgbn4NkPTe9GIUMt53c8v2ok/3TyJ8Fcivtw',
  },
]

describe('hash', () => {
  test('gives a PHC string with the OWASP parameters by default, 16 bytes of salt and 32 of output', async () => {
    const hasher = createArgon2idHasher()
    const made = await hasher.hash(PASSWORD)
    expect(made).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(await hasher.verify(made, PASSWORD)).toBe(true)
    expect(hasher.needsRehash(made)).toBe(false)
    expect(hasher.id).toBe('argon2id')
  })

  test('salts: the same password never hashes the same twice', async () => {
    expect(await cheap.hash(PASSWORD)).not.toBe(await cheap.hash(PASSWORD))
  })

  test.each([72, 128, 256, 300, 4096, 10_000])('counts the last of %i characters', async (length) => {
    const password = `${'x'.repeat(length - 1)}a`
    const made = await cheap.hash(password)
    expect(await cheap.verify(made, password)).toBe(true)
    expect(await cheap.verify(made, `${'x'.repeat(length - 1)}b`)).toBe(false)
    expect(await cheap.verify(made, password.slice(0, -1))).toBe(false)
  })

  test('counts what follows a NUL', async () => {
    const made = await cheap.hash('before\0after')
    expect(await cheap.verify(made, 'before\0after')).toBe(true)
    expect(await cheap.verify(made, 'before\0other')).toBe(false)
    expect(await cheap.verify(made, 'before')).toBe(false)
  })

  test('does not trim', async () => {
    const made = await cheap.hash(` ${PASSWORD} `)
    expect(await cheap.verify(made, ` ${PASSWORD} `)).toBe(true)
    expect(await cheap.verify(made, PASSWORD)).toBe(false)
  })
})

describe('verify', () => {
  test.each(VECTORS)('agrees with the reference implementation on $name', async ({ password, hash }) => {
    expect(await cheap.verify(hash, password)).toBe(true)
    expect(await cheap.verify(hash, `${password}.`)).toBe(false)
    expect(await cheap.verify(hash, '')).toBe(false)
  })

  test('reads the parameters in any order', async () => {
    expect(await cheap.verify(OWASP_VECTOR.replace('m=19456,t=2,p=1', 'm=19456,p=1,t=2'), PASSWORD)).toBe(true)
  })

  test.each<[string, string]>([
    ['empty', ''],
    ['no PHC string', 'swordfish'],
    ['another function', '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'],
    ['an unknown variant', OWASP_VECTOR.replace('argon2id', 'argon2x')],
    ['an unknown version', OWASP_VECTOR.replace('v=19', 'v=99')],
    ['no hash', OWASP_VECTOR.slice(0, OWASP_VECTOR.lastIndexOf('$'))],
    ['a truncated hash', OWASP_VECTOR.slice(0, -1)],
    ['padding', `${OWASP_VECTOR}=`],
    ['a trailing newline', `${OWASP_VECTOR}\n`],
    ['a trailing NUL', `${OWASP_VECTOR}\0`],
    ['a missing parameter', OWASP_VECTOR.replace(',p=1', '')],
    ['a short salt', OWASP_VECTOR.replace('Z2F0ZWJvb2stc2FsdC0wMQ', 'Z2F0')],
    ['no passes', OWASP_VECTOR.replace('t=2', 't=0')],
    ['too little memory', OWASP_VECTOR.replace('m=19456', 'm=7')],
    ['a parameter out of 32 bits', OWASP_VECTOR.replace('m=19456', 'm=4294967296')],
    // These two would abort the process or run for hours instead of failing the test, were they let through.
    ['more memory than any machine has', OWASP_VECTOR.replace('m=19456', 'm=4294967295')],
    ['more passes than anyone waits for', OWASP_VECTOR.replace('t=2', 't=4294967295')],
  ])('is false for a stored hash with %s', async (_name, hash) => {
    expect(await cheap.verify(hash, PASSWORD)).toBe(false)
    expect(cheap.needsRehash(hash)).toBe(true)
  })

  test('never rejects, whatever byte of a stored hash is damaged', async () => {
    const made = await cheap.hash(PASSWORD)
    await fc.assert(
      fc.asyncProperty(fc.nat(made.length - 1), fc.string({ maxLength: 3 }), async (at, put) => {
        const damaged = made.slice(0, at) + put + made.slice(at + 1)
        fc.pre(damaged !== made)
        expect(await cheap.verify(damaged, 'another password')).toBe(false)
      }),
      { numRuns: 300 },
    )
  })
})

describe('needsRehash', () => {
  test.each<[string, Argon2idOptions]>([
    ['memory up', { ...CHEAP, memoryKib: 65 }],
    ['memory down', { ...CHEAP, memoryKib: 63 }],
    ['iterations', { ...CHEAP, iterations: 2 }],
    ['parallelism', { ...CHEAP, parallelism: 2 }],
  ])('is true when %s changed, and false for a hash made since', async (_name, changed) => {
    const made = await cheap.hash(PASSWORD)
    const next = createArgon2idHasher(changed)
    expect(cheap.needsRehash(made)).toBe(false)
    expect(next.needsRehash(made)).toBe(true)
    expect(await next.verify(made, PASSWORD)).toBe(true)
    expect(next.needsRehash(await next.hash(PASSWORD))).toBe(false)
  })

  // Like `vector` in cost, so that one property at a time differs.
  const like = createArgon2idHasher({ memoryKib: 64, iterations: 3, parallelism: 1 })
  const current = '$argon2id$v=19$m=64,t=3,p=1$Z2F0ZWJvb2stc2FsdC0wMQ$ZbjJv4r1LPENGAfbLoV1WcZl5YWfVk9K+peBxjRBcXw'
  test.each<[string, string, boolean]>([
    ['the same', current, false],
    ['the same in another order', current.replace('m=64,t=3,p=1', 'm=64,p=1,t=3'), false],
    ['argon2i', current.replace('argon2id', 'argon2i'), true],
    ['argon2d', current.replace('argon2id', 'argon2d'), true],
    ['version 0x10', current.replace('v=19', 'v=16'), true],
    ['no version', current.replace('$v=19', ''), true],
    ['a salt of 12 bytes', current.replace('Z2F0ZWJvb2stc2FsdC0wMQ', 'Z2F0ZWJvb2stc2Fs'), true],
    ['an output of 24 bytes', current.replace(/[^$]+$/, '8IOD1n2bP8GDn+Bjy2KmFsGTW4SUnP5F'), true],
  ])('of %s: see the table', (_name, hash, expected) => {
    expect(like.needsRehash(hash)).toBe(expected)
  })
})

test.each<[string, Argon2idOptions]>([
  ['too little memory for the lanes', { memoryKib: 15, parallelism: 2 }],
  ['too much memory', { memoryKib: 2 ** 21 + 1, iterations: 1 }],
  ['too much work', { memoryKib: 2 ** 21, iterations: 5 }],
  ['no pass', { iterations: 0 }],
  ['half a pass', { iterations: 1.5 }],
  ['no lane', { parallelism: 0 }],
  ['256 lanes', { parallelism: 256 }],
  ['memory that is no number', { memoryKib: Number.NaN }],
])('refuses %s as an option', (_name, options) => {
  expect(() => createArgon2idHasher(options)).toThrow(
    expect.toSatisfy((error) => isGatebookError(error, 'ERR_OPTION_INVALID')),
  )
})
