import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

/** As the field `browser` of package.json says it of the compiled files. */
const BROWSER_FILES: Readonly<Record<string, string>> = {
  [`${SRC}proof/platform.ts`]: `${SRC}proof/platform-browser.ts`,
  [`${SRC}event/commitment.ts`]: `${SRC}event/commitment-browser.ts`,
}

function browserFiles(): Plugin {
  return {
    name: 'browser-files',
    enforce: 'pre',
    async resolveId(specifier, importer, options) {
      const found = await this.resolve(specifier, importer, { ...options, skipSelf: true })
      const other = found === null ? undefined : BROWSER_FILES[found.id]
      return other ?? null
    },
  }
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // The server writes the prefix in, since it is an option.
  base: './',
  plugins: [browserFiles()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    // No address of the form `data:`, and no script that is not a file.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // Whose code is in it.
    license: { fileName: 'licenses.md' },
  },
})
