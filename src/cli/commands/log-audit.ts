import type { Command } from 'commander'
import type { AuditFinding, AuditOptions, AuditProgress, AuditSummary } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { AUDIT_FINDINGS, type FindingCode } from '../../log/audit/findings.ts'
import {
  type DiscrepancyCode,
  describeDiscrepancy,
  FORGERIES,
  UNVERIFIABLE,
} from '../../log/reconcile/discrepancies.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { createProgressLine } from '../progress-line.ts'
import { type Column, printRows } from '../table.ts'
import { printFields, type Terminal } from '../terminal.ts'
import { withGatebook } from '../with-gatebook.ts'

interface AuditFlags extends CommonFlags {
  readonly checkpoint?: readonly string[]
  readonly key?: readonly string[]
  readonly resume?: string
  readonly reconcile?: boolean
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value]

const COLUMNS: readonly Column<AuditFinding>[] = [
  {
    title: 'CODE',
    value: ({ code }) => code,
    usual: 20,
    colour: ({ severity }) => (severity === 'finding' ? 'red' : 'yellow'),
  },
  { title: 'ENTRY', value: ({ index }) => (index === null ? '' : String(index)), usual: 9 },
  { title: 'EVENT', value: ({ eventId }) => eventId ?? '', usual: 30, drop: 1 },
  { title: 'WHAT', value: describe, usual: 90, least: 20 },
]

export function defineLogAudit(group: Command, context: CommandContext): void {
  const { terminal } = context
  const command = group
    .command('audit')
    .description('Re-read the log and say what does not fit. Leaves the event log.audited.')
    .option(
      '--checkpoint <file>',
      'checkpoints that were kept elsewhere, e.g. an anchor file; may be given again',
      collect,
    )
    .option(
      '--key <vkey>',
      'verifier key of the log (default: that of the configured log key); may be given again',
      collect,
    )
    .option('--reconcile', 'compare users, passwords, roles, sessions, clients and keys with their events, too')
    .option('--resume <file>', 'keep in this file how far the audit has come, and go on from there')
  addExample(
    addCommonFlags(command),
    'log audit',
    'log audit --checkpoint anchors.txt --key app.example/log-1f2e3d4c+…',
  )
  command.action(async (flags: AuditFlags) => {
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    const summary = await withGatebook(context, flags, {}, async (gate) => {
      const options: AuditOptions = {
        signal: stop.signal,
        ...(flags.checkpoint !== undefined && { checkpoints: flags.checkpoint }),
        ...(flags.key !== undefined && { keys: flags.key }),
        ...(flags.resume !== undefined && { resume: flags.resume }),
        reconcile: flags.reconcile === true,
      }
      const line = createProgressLine<AuditProgress>(process.stderr, ({ phase, done, total }) => ({
        about: phase,
        done,
        total,
      }))
      const print = createPrinter(terminal, flags.json === true)
      try {
        for await (const step of gate.log.audit(options, CLI_CONTEXT)) {
          if (step.kind === 'summary') return step
          if (step.kind === 'progress') line.show(step)
          else {
            line.clear()
            print(step)
          }
        }
      } finally {
        line.clear()
      }
      return null
    })
    if (summary === null) {
      throw new GatebookError('ERR_AUDIT_STOPPED', {
        detail: flags.resume === undefined ? 'Nothing of it was kept.' : `${flags.resume} has how far it came.`,
      })
    }
    if (flags.json === true) terminal.json(toWire(summary))
    else printSummary(terminal, summary)
    if (summary.findings > 0) process.exitCode = 1
  })
}

function createPrinter(terminal: Terminal, json: boolean): (finding: AuditFinding) => void {
  if (json)
    return ({ eventId, ...finding }) =>
      terminal.json({ ...finding, event_id: eventId, message: sentenceOf(finding.code) })
  let printRow: ((finding: AuditFinding) => void) | null = null
  return (finding) => {
    printRow ??= printRows(terminal, COLUMNS)
    printRow(finding)
  }
}

function describe({ code, detail }: AuditFinding): string {
  return [sentenceOf(code), detail === '' ? '' : `(${detail})`].join(' ').trim()
}

function sentenceOf(code: string): string {
  if (Object.hasOwn(AUDIT_FINDINGS, code)) return AUDIT_FINDINGS[code as FindingCode].sentence
  return Object.hasOwn(FORGERIES, code) || Object.hasOwn(UNVERIFIABLE, code)
    ? describeDiscrepancy(code as DiscrepancyCode)
    : ''
}

function printSummary(terminal: Terminal, summary: AuditSummary): void {
  const { size, entries, events, checkpoints, covered, anchored, root, findings, milliseconds } = summary
  printFields(terminal, [
    ['entries', `${entries} of ${size}`],
    ['events', String(events)],
    ['checkpoints', `${checkpoints}, which cover ${covered} entries`],
    ['anchored', anchored === 0 ? 'nothing: no checkpoint from elsewhere fits' : `${anchored} entries`],
    ['root', root],
    ['took', `${(milliseconds / 1000).toFixed(1)} s`],
  ])
  const verdict = findings === 0 ? 'Nothing was found that does not fit.' : `${findings} findings.`
  terminal.line(terminal.paint(findings === 0 ? 'green' : 'red', verdict))
  for (const [code, count] of Object.entries(summary.counts)) {
    const row = Object.hasOwn(AUDIT_FINDINGS, code) ? AUDIT_FINDINGS[code as FindingCode] : null
    terminal.line(`  ${code} (${count}): ${row === null ? sentenceOf(code) : row.attack}`)
  }
}

function toWire({ milliseconds, ...summary }: AuditSummary): object {
  return { ...summary, duration_seconds: milliseconds / 1000 }
}
