import { expect, test } from 'vitest'
import { loadedBy } from '../support/loaded-by.ts'

test('gatebook/verify loads no database, no hash and nothing but node:crypto, and is small', () => {
  const { files, outside, bytes } = loadedBy('verify/index.ts')
  expect(outside).toEqual(['node:crypto'])
  expect(files.filter((file) => !/^(verify|token|util)\/|^errors\.ts$/.test(file))).toEqual([])
  expect(bytes).toBeLessThan(80_000)
  expect(files.length).toBeLessThan(25)
})
