import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { loadCommonPasswords } from '../../src/credential/common-passwords.ts'
import { createPasswordPolicy } from '../../src/credential/password-policy.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = brotliDecompressSync(readFileSync(join(root, 'src/credential/common-passwords.txt.br'))).toString('utf8')
const entries = text.split('\n').slice(0, -1)

describe('the bundled file', () => {
  test('is what its source gives', () => {
    execFileSync(process.execPath, [join(root, 'scripts/build-common-passwords.mjs'), '--check'])
  })

  test('has at least 3,000 entries that satisfy the default policy but for being common (ASVS 5.0, 6.2.4)', () => {
    const policy = createPasswordPolicy({ commonPasswords: new Set() })
    const allowed = entries.filter((entry) => {
      try {
        policy.check(entry)
        return [...entry].length >= 15
      } catch {
        return false
      }
    })
    expect(allowed.length).toBeGreaterThanOrEqual(3000)
  })

  test('holds every entry in the form in which the policy looks it up, and none that is too short', () => {
    const looked: string[] = []
    const policy = createPasswordPolicy({
      minLength: 8,
      maxLength: 1024,
      commonPasswords: { has: (folded) => looked.push(folded) === 0 },
    })
    const kept = entries.filter((entry) => [...entry].length <= 1024)
    for (const entry of kept) policy.check(entry)
    expect(looked.filter((folded, index) => folded !== kept[index])).toEqual([])
    expect(looked.length).toBe(kept.length)
    expect(entries.length - kept.length).toBeLessThan(10)
  })
})

describe('loadCommonPasswords', () => {
  test('loads once', async () => {
    const [first, second] = await Promise.all([loadCommonPasswords(), loadCommonPasswords()])
    expect(second).toBe(first)
    expect(await loadCommonPasswords()).toBe(first)
  })

  test('finds every entry, the first and the last included', async () => {
    const common = await loadCommonPasswords()
    expect(common.size).toBe(entries.length)
    expect(entries.filter((entry) => !common.has(entry))).toEqual([])
  })

  test('finds nothing else: neighbours of the entries agree with a set', async () => {
    const common = await loadCommonPasswords()
    const set = new Set(entries)
    const wrong = entries
      .filter((_, index) => index % 10 === 0)
      .flatMap((entry) => [`${entry}!`, entry.slice(0, -1), `${entry}\n`, `\u0001${entry}`])
      .filter((candidate) => common.has(candidate) !== set.has(candidate))
    expect(wrong).toEqual([])
  })

  test.each(['', '\n', '\0', '~'.repeat(20), '\u{10ffff}', `${entries[0]}\n${entries[1]}`])(
    'has not %j',
    async (text) => {
      expect((await loadCommonPasswords()).has(text)).toBe(false)
    },
  )

  test.each(['password', '123456789012345', 'qwertyuiopasdfghjkl', 'йцукенгшщзхъ', 'contraseña'])(
    'has %s',
    async (entry) => {
      expect((await loadCommonPasswords()).has(entry)).toBe(true)
    },
  )

  test('serves the policy', async () => {
    const policy = createPasswordPolicy({ commonPasswords: await loadCommonPasswords() })
    expect(() => policy.check('QwertyUiopAsdfghjkl')).toThrow(expect.objectContaining({ code: 'ERR_PASSWORD_COMMON' }))
    policy.check('quiet otter 42!')
  })
})

test('scripts/copy-assets.mjs takes along everything that the compiler leaves behind, and no source', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-assets-'))
  try {
    mkdirSync(join(folder, 'src/one/two'), { recursive: true })
    mkdirSync(join(folder, 'src/only-source'))
    writeFileSync(join(folder, 'src/top.svg'), '<svg/>')
    writeFileSync(join(folder, 'src/one/two/data.br'), Buffer.from([0, 255, 10]))
    writeFileSync(join(folder, 'src/one/two/code.ts'), 'export {}')
    writeFileSync(join(folder, 'src/only-source/code.ts'), 'export {}')
    execFileSync(process.execPath, [join(root, 'scripts/copy-assets.mjs'), join(folder, 'src'), join(folder, 'dist')])
    expect(readFileSync(join(folder, 'dist/top.svg'), 'utf8')).toBe('<svg/>')
    expect([...readFileSync(join(folder, 'dist/one/two/data.br'))]).toEqual([0, 255, 10])
    expect(existsSync(join(folder, 'dist/one/two/code.ts'))).toBe(false)
    expect(existsSync(join(folder, 'dist/only-source'))).toBe(false)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
