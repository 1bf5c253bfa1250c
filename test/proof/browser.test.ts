import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import {
  computeInclusionProof,
  computeLeafHash,
  createHashReader,
  formatCheckpoint,
  formatReceipt,
  formatVerifierKey,
  parseSigningKey,
  readRoot,
  signNote,
} from '../../src/proof/index.ts'
import { findChromium, startChromium, WITHOUT_CHROMIUM } from '../support/chromium.ts'
import { linkModules } from '../support/consumer.ts'

const program = findChromium()
const skip = program === null && process.env.CI === undefined

const SIGNING_KEY = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'

/** What somebody who has a receipt would write. */
const PAGE = `
import {
  computeLeafHash, generateLogKey, openNote, parseReceipt, parseSigningKey, parseVerifierKey, signNote, verifyReceipt,
} from 'gatebook/proof'

globalThis.check = (receipt, leaf, vkey) => {
  const key = parseVerifierKey(vkey)
  try {
    const leafHash = computeLeafHash(new TextEncoder().encode(leaf))
    return verifyReceipt(parseReceipt(receipt), leafHash, { origin: key.name, logKeys: [key] }).checkpoint.size
  } catch (error) {
    return error.code
  }
}
globalThis.sign = (text, key) => signNote(text, parseSigningKey(key))
globalThis.ownKey = () => {
  const { signingKey, verifierKey } = generateLogKey('browser.example')
  return openNote(signNote('text\\n', parseSigningKey(signingKey)), [parseVerifierKey(verifierKey)]).text
}
`

test.skipIf(skip)(`a page verifies a receipt${skip ? ` (${WITHOUT_CHROMIUM})` : ''}`, async () => {
  if (program === null) throw new Error(WITHOUT_CHROMIUM)
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-proof-page-'))
  const browser = await startChromium(program)
  try {
    mkdirSync(folder, { recursive: true })
    linkModules(folder)
    writeFileSync(join(folder, 'page.js'), PAGE)
    // As a bundler does it for a browser: it follows `exports` and `browser` of package.json, and fails on node:crypto.
    const bundle = await build({
      absWorkingDir: folder,
      entryPoints: ['page.js'],
      bundle: true,
      platform: 'browser',
      format: 'esm',
      minify: true,
      write: false,
    })
    const script = bundle.outputFiles[0]!.text
    expect(script).not.toContain('node:crypto')
    expect(script.length).toBeLessThan(40_000)

    const key = parseSigningKey(SIGNING_KEY)
    const leaves = Array.from({ length: 300 }, (_, at) => `{"n":${at}}`)
    const reader = createHashReader(leaves.map((leaf) => computeLeafHash(new TextEncoder().encode(leaf))))
    const head = formatCheckpoint({ origin: key.name, size: 300, rootHash: await readRoot(reader, 300) })
    const proof = await computeInclusionProof(reader, 255, 300)
    const receipt = formatReceipt({ index: 255, proof, checkpoint: signNote(head, key) })
    const vkey = formatVerifierKey(key.verifierKey)

    const page = await browser.newPage()
    await page.setContent('<!doctype html><title>receipt</title>')
    await page.addScriptTag({ type: 'module', content: script })
    await page.waitForFunction('globalThis.ownKey !== undefined')
    const evaluate = (name: string, ...values: string[]): Promise<unknown> =>
      page.evaluate(`${name}(${values.map((value) => JSON.stringify(value)).join(', ')})`)

    expect(await evaluate('check', receipt, leaves[255]!, vkey)).toBe(300)
    expect(await evaluate('check', receipt, leaves[254]!, vkey)).toBe('ERR_PROOF_ROOT')
    expect(await evaluate('check', receipt.replace('\n300\n', '\n301\n'), leaves[255]!, vkey)).toBe(
      'ERR_NOTE_SIGNATURE',
    )
    expect(await evaluate('check', receipt.replace('@v1', '@v2'), leaves[255]!, vkey)).toBe('ERR_RECEIPT_MALFORMED')
    expect(await evaluate('sign', head, SIGNING_KEY)).toBe(signNote(head, key))
    expect(await evaluate('ownKey')).toBe('text\n')
  } finally {
    await browser.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
