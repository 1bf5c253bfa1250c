import { basename, delimiter, dirname, relative, sep } from 'node:path'

export interface Invocation {
  /** `process.argv[1]`. */
  readonly script: string
  readonly folder: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** How this program is called from the folder where it was started, for commands that a person is to copy. */
export function ownCommand({ script, folder, environment }: Invocation): string {
  if (script.includes(`${sep}node_modules${sep}`)) return 'npx gatebook'
  const onPath = (environment.PATH ?? '').split(delimiter).includes(dirname(script))
  if (onPath && !/\.[cm]?[jt]s$/.test(script)) return basename(script)
  const path = relative(folder, script)
  return `node ${quoteForShell(path.startsWith('..') ? script : path)}`
}

/** One word for a POSIX shell. */
export function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
