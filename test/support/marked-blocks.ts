/**
 * Code in the documentation that a test runs. The mark stands in the line before the block and is invisible to readers:
 *
 *     <!-- test: NAME -->         ts, js: is type-checked
 *     <!-- test: NAME run -->     … and runs, and ends by itself with status 0
 *     <!-- test: NAME start -->   … and runs, and is still running three seconds later
 *     <!-- test: walk -->         sh: is typed into a shell beside a freshly started server
 *
 * In a walk, lines that begin with `#> ` are what the commands above them print, whole and in order; `…` stands for any
 * text within a line, and a line of `…` alone for any number of lines.
 */
export interface MarkedBlock {
  readonly name: string
  readonly mode: 'check' | 'run' | 'start'
  readonly language: string
  readonly text: string
  readonly line: number
}

const BLOCK = /(?:^<!-- test: ([\w-]+)(?: (run|start))? -->\n+)?^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm

/** All fenced blocks; `name` is empty for one without a mark. */
export function parseBlocks(page: string): MarkedBlock[] {
  return [...page.matchAll(BLOCK)].map(
    ({ index, 1: name = '', 2: mode = 'check', 3: language = '', 4: text = '' }) => ({
      name,
      mode: mode as MarkedBlock['mode'],
      language,
      text,
      line: page.slice(0, index).split('\n').length,
    }),
  )
}

export interface WalkStep {
  readonly commands: string
  /** Null: whatever it prints. */
  readonly output: readonly string[] | null
}

export function parseWalk(text: string): WalkStep[] {
  const steps: { commands: string[]; output: string[] }[] = []
  for (const line of text.split('\n')) {
    const expected = /^#>( ?)(.*)$/.exec(line)?.[2]
    const last = steps.at(-1)
    if (expected !== undefined && last) last.output.push(expected)
    else if (!last || last.output.length > 0) steps.push({ commands: [line], output: [] })
    else last.commands.push(line)
  }
  return steps
    .map(({ commands, output }) => ({ commands: commands.join('\n'), output: output.length > 0 ? output : null }))
    .filter(({ commands }) => commands.trim() !== '')
}

/** Whether a printed text is the one that is shown. */
export function matchesShown(printed: string, shown: readonly string[]): boolean {
  const lines = shown.map((line) =>
    line === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(escapeForRegExp).join('.*')}[ \\t]*\\n`,
  )
  return new RegExp(`^${lines.join('')}$`).test(`${printed.trimEnd()}\n`)
}

function escapeForRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
