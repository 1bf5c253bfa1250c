// Reference pages that are written by hand go wrong with the first row that somebody forgets. So the tables of error
// codes, settings and event types are written from the tables in the code, between two marks; the prose around them
// is by hand and stays. test/docs.test.ts fails when a page is not what this would write.
//
// node --import tsx scripts/generate-docs.mjs

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ERROR_CODES } from '../src/errors.ts'
import { EVENT_TYPES } from '../src/event/catalogue.ts'
import { AUDIT_FINDINGS } from '../src/log/audit/findings.ts'
import { FORGERIES, UNVERIFIABLE } from '../src/log/reconcile/discrepancies.ts'
import { OPTIONS } from '../src/options.ts'
import { OPERATORS } from '../src/query/operators.ts'
import { QUERY_ERRORS } from '../src/query/query-error.ts'
import { FINDINGS } from '../src/server/findings.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const PAGES = {
  'docs/errors.md': {
    text: `# Error codes

Over HTTP an error is an \`application/problem+json\` document (RFC 9457) with \`code\` and \`request_id\`; in the library
it is a \`GatebookError\` with the same \`code\`. A code never changes its meaning. The sentence is public and may be
shown to anybody.
`,
    tables: { 'error codes': errorTable },
  },
  'docs/configuration.md': {
    text: `# Configuration

Every setting is an option of \`createGatebook\`, an environment variable of \`gatebook serve\` and the command line, or
both. Each variable has a second form with \`_FILE\` at its end, which names a file that holds the value. A setting that
does not exist, or whose value is outside its range, is refused by name.
`,
    tables: {
      'options of the library and the server': () => optionTable('library'),
      'settings of the server alone': () => optionTable('server'),
    },
  },
  'docs/doctor.md': {
    text: '# gatebook doctor\n',
    tables: { findings: findingTable },
  },
  'docs/audit.md': {
    text: '# gatebook log audit\n',
    tables: { 'audit findings': auditTable, 'what rows do not fit': reconcileTable },
  },
  'docs/search.md': {
    text: '# Searching the log\n',
    tables: { operators: operatorTable, 'query errors': queryErrorTable },
  },
  'spec/event.md': {
    text: `# Events
`,
    tables: {
      'event types': eventTable,
      reasons: reasonTable,
      data: dataTable,
      rows: stateTable,
      'names in other vocabularies': namesTable,
    },
  },
}

/** What each page should be, given what it is now. */
export function generateDocs(read = readPage) {
  const pages = new Map()
  for (const [path, { text, tables }] of Object.entries(PAGES)) {
    let page = read(path) ?? text
    for (const [name, table] of Object.entries(tables)) page = replaceTable(page, name, table())
    pages.set(path, page)
  }
  return pages
}

export function readPage(path) {
  try {
    return readFileSync(join(ROOT, path), 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

function replaceTable(page, name, rows) {
  const begin = `<!-- generated: ${name} -->`
  const end = `<!-- end: ${name} -->`
  const block = `${begin}\n\n${rows.join('\n')}\n\n${end}`
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 && to === -1) return `${page.trimEnd()}\n\n## ${name[0].toUpperCase()}${name.slice(1)}\n\n${block}\n`
  if (from === -1 || to < from) throw new Error(`the marks around "${name}" are broken`)
  return page.slice(0, from) + block + page.slice(to + end.length)
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)]
}

const code = (text) => `\`${text}\``
const codes = (list) => list.map(code).join(', ')

function errorTable() {
  const rows = Object.entries(ERROR_CODES).map(([name, { status, message }]) => [code(name), status, message])
  return table(['code', 'status', 'sentence'], rows)
}

function findingTable() {
  const rows = Object.entries(FINDINGS)
    .filter(([, { level }]) => level !== 'ok')
    .map(([name, { level, says, todo }]) => [code(name), level, says, todo])
  return table(['finding', 'level', 'what it means', 'what to do'], rows)
}

function auditTable() {
  const rows = Object.entries(AUDIT_FINDINGS).map(([name, row]) => [code(name), row.severity, row.sentence, row.attack])
  return table(['code', 'severity', 'what it means', 'what somebody may have done, or what to do'], rows)
}

function reconcileTable() {
  const of = (sentences, severity) => Object.entries(sentences).map(([name, text]) => [code(name), severity, text])
  return table(['code', 'severity', 'what it means'], [...of(FORGERIES, 'finding'), ...of(UNVERIFIABLE, 'note')])
}

function operatorTable() {
  const rows = Object.entries(OPERATORS).map(([name, row]) => [
    code(name),
    row.about,
    row.expected,
    code(row.example),
    row.time ? 'no' : 'yes',
  ])
  return table(['operator', 'what it looks at', 'it takes', 'for example', 'with minus or commas'], rows)
}

function queryErrorTable() {
  return table(
    ['code', 'what it means'],
    Object.entries(QUERY_ERRORS).map(([name, sentence]) => [code(name), sentence]),
  )
}

function optionTable(scope) {
  const rows = Object.entries(OPTIONS)
    .filter(([, row]) => row.scope === scope)
    .map(([name, row]) => [code(name), code(row.env), defaultOf(row), allowedBy(row), row.about])
  return table(['option', 'variable', 'default', 'allowed', 'what it does'], rows)
}

function defaultOf({ default: value, unit }) {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return '–'
  if (typeof value === 'number') return unit ? `${value} ${unit}` : value
  return Array.isArray(value) ? codes(value) : code(value)
}

function allowedBy({ kind, range, least, values, separator }) {
  if (values) return codes(values)
  if (range) return least > 1 ? `${range[0]}, ${least} to ${range[1]}` : `${range[0]} to ${range[1]}`
  return (
    {
      boolean: '`true`, `false`',
      list: separator === undefined ? 'a list, separated by commas' : 'a list, one a line',
      url: 'a URL',
    }[kind] ?? kind
  )
}

function eventTable() {
  const rows = Object.entries(EVENT_TYPES).map(([name, row]) => [
    code(name),
    row.outcomes.join(', '),
    row.kind,
    row.volume,
    row.about,
  ])
  return table(['type', 'outcomes', 'kind', 'volume', 'what has happened'], rows)
}

function reasonTable() {
  const rows = Object.entries(EVENT_TYPES)
    .filter(([, row]) => row.reasons.length > 0)
    .map(([name, row]) => [code(name), row.reasonOptional ? 'no' : 'yes', codes(row.reasons)])
  return table(['type', 'required', 'reasons'], rows)
}

function dataTable() {
  const rows = Object.entries(EVENT_TYPES)
    .filter(([, row]) => Object.keys(row.data).length > 0)
    .map(([name, row]) => [
      code(name),
      Object.entries(row.data)
        .map(([member, kind]) => `${code(member)} ${kind}`)
        .join(', '),
    ])
  return table(['type', 'members of `data`'], rows)
}

function stateTable() {
  const rows = Object.entries(EVENT_TYPES).flatMap(([name, { state = {} }]) =>
    Object.entries(state).map(([kind, when]) => [code(name), code(kind), when]),
  )
  return table(['type', 'kind of row', 'when'], rows)
}

function namesTable() {
  const rows = Object.entries(EVENT_TYPES).map(([name, row]) => [
    code(name),
    row.owasp,
    row.ocsf,
    row.ecs,
    row.caep ?? '–',
  ])
  return table(['type', 'OWASP', 'OCSF', 'ECS', 'CAEP, RISC'], rows)
}

if (argv[1] && import.meta.url === pathToFileURL(argv[1]).href) {
  for (const [path, page] of generateDocs()) {
    if (readPage(path) === page) continue
    mkdirSync(dirname(join(ROOT, path)), { recursive: true })
    writeFileSync(join(ROOT, path), page)
    console.log(`wrote ${path}`)
  }
}
