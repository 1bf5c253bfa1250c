import type { Command } from 'commander'
import { GatebookError } from '../../errors.ts'
import { type ExplainedHop, explainAddress } from '../../http/client-address.ts'
import { type CheckedPart, examine } from '../../server/doctor.ts'
import { FINDINGS, type Finding, type FindingLevel, worstOf } from '../../server/findings.ts'
import { readVersion } from '../../server/version.ts'
import { addCommonFlags, addExample, type CommandContext, type CommonFlags } from '../command.ts'
import { type Colour, printFields, type Terminal } from '../terminal.ts'
import { readCommandConfig } from '../with-gatebook.ts'

interface DoctorFlags extends CommonFlags {
  readonly peer?: string
  readonly header?: readonly string[]
}

export function defineDoctor(command: Command, context: CommandContext): void {
  command
    .option('--peer <address>', 'explain which address is recorded for a request from there')
    .option(
      '--header <line>',
      'a header of that request, e.g. "X-Forwarded-For: 203.0.113.9"; may be repeated',
      (line, before: readonly string[] = []) => [...before, line],
    )
  addExample(
    addCommonFlags(command),
    'doctor',
    'doctor --json',
    'doctor --peer 10.0.0.7 --header "X-Forwarded-For: 203.0.113.9, 10.0.0.8"',
  )
  command.action(async (flags: DoctorFlags) => {
    if (flags.peer !== undefined || flags.header !== undefined) explain(context, flags)
    else await look(context, flags)
  })
}

async function look(context: CommandContext, flags: DoctorFlags): Promise<void> {
  const { terminal, environment } = context
  const parts = await examine({ config: readCommandConfig(context, flags), environment })
  const findings = parts.flatMap((part) => part.findings)
  const worst = worstOf(findings)
  if (flags.json === true) terminal.json(toJson(parts, worst))
  else print(terminal, parts, findings)
  if (worst === 'warning' || worst === 'problem') process.exitCode = 1
}

/** Nothing that tells where this is or whose: it may be pasted into a report. */
function toJson(parts: readonly CheckedPart[], worst: FindingLevel): object {
  return {
    version: readVersion(),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    worst,
    findings: parts.flatMap(({ check, findings }) =>
      findings.map(({ code, figures = {} }) => ({
        check,
        code,
        level: FINDINGS[code].level,
        says: FINDINGS[code].says,
        figures,
      })),
    ),
  }
}

const MARKS: Readonly<Record<FindingLevel, readonly [mark: string, colour: Colour]>> = {
  ok: ['ok', 'green'],
  note: ['note', 'dim'],
  warning: ['warning', 'yellow'],
  problem: ['PROBLEM', 'red'],
}

function print(terminal: Terminal, parts: readonly CheckedPart[], all: readonly Finding[]): void {
  for (const { check, findings } of parts) {
    for (const { code, figures = {} } of findings) {
      const { level, says, todo } = FINDINGS[code]
      const [mark, colour] = MARKS[level]
      const pairs = Object.entries(figures).map(([name, value]) => `${name}=${value}`)
      const told = pairs.length === 0 ? '' : terminal.paint('dim', `  ${pairs.join(' ')}`)
      terminal.line(`${terminal.paint(colour, mark.padEnd(7))}  ${check.padEnd(9)}  ${says}${told}`)
      if (level !== 'ok') terminal.line(`${' '.repeat(20)}${todo}`)
    }
  }
  const count = (level: FindingLevel) => all.filter(({ code }) => FINDINGS[code].level === level).length
  terminal.line('')
  terminal.line(
    `${count('problem')} problems, ${count('warning')} warnings, ${count('note')} notes. docs/doctor.md explains each.`,
  )
}

function explain(context: CommandContext, flags: DoctorFlags): void {
  const { terminal } = context
  if (flags.peer === undefined) {
    throw new GatebookError('ERR_USAGE', {
      detail: '--header needs --peer: the address that the connection comes from.',
    })
  }
  const headers = new Headers()
  for (const line of flags.header ?? []) {
    const [, name, value] = /^([A-Za-z-]+):\s*(.*)$/.exec(line) ?? []
    if (name === undefined)
      throw new GatebookError('ERR_USAGE', { detail: `--header takes NAME: VALUE, not ${JSON.stringify(line)}.` })
    headers.append(name, value!)
  }
  const trusted = readCommandConfig(context, flags).trustedProxies.value as readonly string[]
  const { address, hops } = explainAddress(trusted, headers, { remoteAddress: flags.peer })
  if (flags.json === true) {
    terminal.json({ ip: address.ip ?? null, ip_source: address.ipSource, hops })
    return
  }
  printFields(terminal, [
    ['recorded', address.ip ?? 'nothing: the peer is no address'],
    ['ip_source', address.ipSource],
    ['trusted', trusted.length === 0 ? 'nobody (GATEBOOK_TRUSTED_PROXIES)' : trusted.join(', ')],
    ...hops.map((hop) => [hop.from, describe(hop)] as const),
  ])
}

function describe({ address, trusted }: ExplainedHop): string {
  if (address === null) return 'no address: the walk ends here'
  return `${address}  ${trusted ? 'trusted: what it wrote counts' : 'not trusted: the walk ends here'}`
}
