import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A project of somebody who uses the package, as it would stand beside it. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

/** Makes `folder` resolve the package itself, and what the repository has installed, without installing anything. */
export function linkModules(folder: string): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(modules, { recursive: true })
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  symlinkSync(ROOT, join(modules, 'gatebook'))
}

export interface TypeCheck {
  readonly folder: string
  readonly files: readonly string[]
  readonly moduleResolution: 'nodenext' | 'bundler'
  readonly skipLibCheck: boolean
  /** With the decorators of before the standard, which NestJS needs. */
  readonly legacyDecorators?: boolean
}

/** What the compiler complains about; empty when it is content. Runs in a process of its own, as a user would. */
export function typeCheck({ folder, files, moduleResolution, skipLibCheck, ...more }: TypeCheck): string {
  const config = join(folder, `tsconfig.${moduleResolution}.json`)
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    module: moduleResolution === 'nodenext' ? 'nodenext' : 'esnext',
    moduleResolution,
    skipLibCheck,
    experimentalDecorators: more.legacyDecorators ?? false,
  }
  writeFileSync(config, JSON.stringify({ compilerOptions, files }, null, 2))
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', config, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return status === 0 ? '' : stdout + stderr
}
