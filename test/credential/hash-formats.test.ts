/**
 * Hashes that users bring along, against their original implementations on this machine (Debian's passlib, Django,
 * Werkzeug, PHP, argon2), made anew in each run. Of ASP.NET Identity, Keycloak, Firebase and of newer versions of
 * Django and Werkzeug there is no original in Debian: those are derived in Python after the published descriptions
 * (original-hashes.py says which), and Firebase and ASP.NET have the vectors that their authors publish.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { composeHash } from '../../src/credential/compose-hash.ts'
import { HASH_READERS, readHash } from '../../src/credential/hash-formats.ts'

const PASSWORDS = [
  'correct horse battery staple',
  '',
  'pässwörd 비밀번호 🔑',
  'x',
  'exactly seventy-two bytes, which is as much as bcrypt looks at: 12345678',
  ` ${'long '.repeat(24)}`,
]

interface Made {
  readonly by: string
  readonly format: string
  readonly password: string
  readonly hash?: string
  readonly missing?: string
}

function makeHashes(): readonly Made[] {
  const script = fileURLToPath(new URL('original-hashes.py', import.meta.url))
  // Not the first python3 on the PATH, which may be one without Debian's packages.
  const { stdout, stderr, status } = spawnSync('/usr/bin/python3', [script], {
    input: JSON.stringify(PASSWORDS),
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  })
  if (status !== 0) throw new Error(`no hashes could be made: ${stderr || 'there is no /usr/bin/python3'}`)
  return JSON.parse(stdout) as Made[]
}

const WRONG = 'correct horse battery stapler'
const made = ((): readonly Made[] | string => {
  try {
    return makeHashes()
  } catch (error) {
    return (error as Error).message
  }
})()
const missing = typeof made === 'string' ? [made] : [...new Set(made.flatMap(({ missing }) => missing ?? []))]

describe('hashes made by their original implementations', () => {
  test('are all there', (context) => {
    if (missing.length === 0) return
    const how =
      'apt-get install python3-passlib python3-bcrypt python3-argon2 python3-werkzeug python3-django python3-cryptography php-cli argon2'
    if (process.env.CI === 'true') throw new Error(`${missing.join('; ')}. ${how}`)
    context.skip(`Not everything is on this machine: ${missing.join('; ')}. On Debian: ${how}`)
  })

  const cases =
    typeof made === 'string' ? [] : made.filter((entry): entry is Made & { hash: string } => entry.hash !== undefined)
  const kinds = [...new Set(cases.map(({ by, format, hash }) => `${format} by ${by}, ${hash.slice(0, 14)}`))]
  test.skipIf(cases.length === 0)('are of every format that can be read', () => {
    expect(new Set(cases.map(({ format }) => format))).toEqual(new Set(HASH_READERS.map(({ format }) => format)))
    expect(kinds.length).toBeGreaterThan(20)
  })

  test.each(cases)('$format by $by: $password', async ({ format, password, hash }) => {
    const read = readHash(hash)
    expect(read?.format).toBe(format)
    expect(await read!.verify(password)).toBe(true)
    expect(await read!.verify(password === '' ? 'y' : WRONG)).toBe(false)
    expect(await read!.verify(`x${password}`)).toBe(password.startsWith('xx') ? expect.anything() : false)
    expect(HASH_READERS.filter((reader) => reader.read(hash) !== null)).toHaveLength(1)
  })

  test('count every byte, but for bcrypt those after the 72nd', async () => {
    const long = cases.filter(({ password }) => password.length > 72)
    for (const { format, by, hash, password } of long) {
      const cut = await readHash(hash)!.verify(`${password}!`)
      expect(cut, `${format} by ${by}`).toBe(format === 'bcrypt' && !/^(bcrypt_sha256|\$wp)/.test(hash))
    }
  })
})

describe('what is composed of several members of an export', () => {
  test('Firebase: the vector of its authors', async () => {
    const hash = composeHash({
      format: 'firebase',
      hash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
      salt: '42xEC+ixf3L2lw==',
      saltSeparator: 'Bw==',
      signerKey: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
      rounds: 8,
      memoryCost: 14,
    })
    expect(hash.length).toBeLessThanOrEqual(512)
    expect(await readHash(hash)!.verify('user1password')).toBe(true)
    expect(await readHash(hash)!.verify('user2password')).toBe(false)
  })

  test('ASP.NET Core Identity: a vector of its own tests', async () => {
    const hash = 'AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw=='
    expect(await readHash(hash)!.verify('my password')).toBe(true)
    expect(await readHash(hash)!.verify('my Password')).toBe(false)
  })

  test('Keycloak: iterations, salt and value of its credentials', async () => {
    const { pbkdf2Sync } = await import('node:crypto')
    const salt = Buffer.from([...Array(16).keys()])
    const value = pbkdf2Sync('keycloak pass', salt, 27_500, 64, 'sha256').toString('base64')
    const hash = composeHash({
      format: 'keycloak',
      algorithm: 'pbkdf2-sha256',
      iterations: 27_500,
      salt: salt.toString('base64'),
      hash: value,
    })
    expect(readHash(hash)?.format).toBe('pbkdf2')
    expect(await readHash(hash)!.verify('keycloak pass')).toBe(true)
    expect(await readHash(hash)!.verify('keycloak Pass')).toBe(false)
  })
})

describe('what cannot be read', () => {
  let good: Record<string, string>
  beforeAll(() => {
    good = Object.fromEntries((typeof made === 'string' ? [] : made).map(({ format, hash }) => [format, hash ?? '']))
  })

  test.each([
    ['nothing', ''],
    ['a password', 'correct horse battery staple'],
    ['plain MD5', '5f4dcc3b5aa765d61d8327deb882cf99'],
    ['plain SHA-256', '5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8'],
    ['an unusable password of Django', '!tUvJ8zP0u8Xz0bq'],
    ['bcrypt of cost 31', '$2b$31$V55KAjQUlM08oIdJvJtp/eIkoD5YUmCfWmFGe8EHDuK1Tvm4JkJMS'],
    [
      'Argon2 with 4 TiB',
      '$argon2id$v=19$m=4294967295,t=1,p=1$YSBzYWx0IG9mIGl0cyBvd24$G6Zo+VY1vRkzZJjXUi6Qynfkf1fIdKP2wJGaRdcEcQo',
    ],
    [
      'Argon2 with 2^31 passes',
      '$argon2id$v=19$m=1024,t=2147483648,p=1$YSBzYWx0IG9mIGl0cyBvd24$G6Zo+VY1vRkzZJjXUi6Qynfkf1fIdKP2wJGaRdcEcQo',
    ],
    ['scrypt with 2^63', '$scrypt$ln=63,r=8,p=1$PwfAOGcspRSi9P4fIyQEoA$kKD1bjK1y0Cfnn21J2f1nXyq1RJbjZzJkEJFNqy+T2Y'],
    [
      'scrypt with 8 GiB',
      'scrypt:8388608:8:1$Mj0vBwpOCxPYWqMs$3df2dcccbd6c77a942aba5138d5200ec9e66dcbe0fbd7ba075c6c0d73ef766de',
    ],
    [
      'scrypt with an N that is no power of two',
      'scrypt:1000:8:1$Mj0vBwpOCxPYWqMs$3df2dcccbd6c77a942aba5138d5200ec9e66dcbe0fbd7ba075c6c0d73ef766de',
    ],
    [
      'PBKDF2 with 10^8 iterations',
      'pbkdf2_sha256$99999999$q0KP7e7UvzUK4VE8sw84wF$yObDKv/EL6rirFqdGh3D/R7bbdmQMc/2Bs+cGro9lYk=',
    ],
    ['PBKDF2 with none', 'pbkdf2_sha256$0$q0KP7e7UvzUK4VE8sw84wF$yObDKv/EL6rirFqdGh3D/R7bbdmQMc/2Bs+cGro9lYk='],
    [
      'SHA-crypt with 10^9 rounds',
      '$6$rounds=999999999$8FYIcFC4Bp9eGfZ/$Cm2aW7HFw5hNGER8Ev3AvNZo0dJoHwJ6KE2Ggu12N0kp8IGwICvLVMKvskLT6Str2cZ0FK6fT.ChsGCm2aW7H',
    ],
    ['phpass with 2^30 rounds', '$P$SxUABcHmpk/v.ARatkKwaYBSgAjzCp.'],
    ['LDAP without a salt', '{SSHA}L5As7crH4ffsIfJsA7s0lBKmgEk='],
    ['one that is too long for its column', `$argon2id$v=19$m=64,t=1,p=1$${'A'.repeat(600)}$AAAA`],
  ])('%s', (_, stored) => {
    expect(readHash(stored)).toBeNull()
  })

  test('half of any of them, and one with a line break', () => {
    for (const [format, hash] of Object.entries(good)) {
      // These may be of any length: what is left is a shorter key.
      const cut = ['pbkdf2', 'scrypt', 'argon2'].includes(format) ? hash.length / 4 : hash.length / 2
      expect(readHash(hash.slice(0, cut)), hash.slice(0, 12)).toBeNull()
      expect(readHash(`${hash}\n`), hash.slice(0, 12)).toBeNull()
      expect(readHash(` ${hash}`), hash.slice(0, 12)).toBeNull()
    }
  })
})

test('Keycloak, with Argon2 as it makes it from version 24 on', async () => {
  // printf geheim | argon2 gatebook-salt-01 -id -k 7168 -t 5 -p 1 -l 32
  const parts = {
    format: 'keycloak',
    algorithm: 'argon2',
    iterations: 5,
    hash: 'Sy//ZBKs9Fn4xYyR9g7KTMaDA9JDEfvFs6g/LjHMXPM=',
    salt: Buffer.from('gatebook-salt-01').toString('base64'),
  } as const
  const hash = readHash(composeHash({ ...parts, memory: 7168, parallelism: 1 }))!
  expect([hash.format, await hash.verify('geheim'), await hash.verify('Geheim')]).toEqual(['argon2', true, false])
  expect(() => composeHash(parts)).toThrow()
})

test('phpass as passlib makes it by default, with 2^19 rounds', async () => {
  expect(readHash('$P$Hh/DNWgh/tSInmnfmYhnQT2fSTwouM/')?.format).toBe('phpass')
})

test.each(['pbkdf2_sha256$1000$sält$', 'scrypt$16384$sält$8$1$', 'sha1$sält$'])(
  'a salt beyond ASCII does not fit into the column: %s',
  (start) => {
    expect(readHash(`${start}${start.startsWith('sha1') ? '0'.repeat(40) : `${'A'.repeat(43)}=`}`)).toBeNull()
  },
)

test('the long ones give way to others', async () => {
  const read = readHash('$P$GxUABcHmpk/v.ARatkKwaYBSgAjzCp.')!
  let turns = 0
  const ticking = setInterval(() => {
    turns += 1
  }, 5)
  await read.verify('x')
  clearInterval(ticking)
  expect(turns).toBeGreaterThan(3)
})
