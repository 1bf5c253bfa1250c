import { hash } from 'node:crypto'
import { isAbsolute } from 'node:path'
import { GatebookError } from '../errors.ts'
import { parseVerifierKey, type VerifierKey } from '../proof/note-key.ts'
import { ProofError } from '../proof/proof-error.ts'
import type { Anchor } from './anchor.ts'

/** An anchor as it is written in the setting `anchors`. */
export type AnchorSpec =
  | { readonly kind: 'file'; readonly name: string; readonly path: string }
  | { readonly kind: 'command'; readonly name: string; readonly program: string; readonly args: readonly string[] }
  | (HttpSpec & { readonly kind: 'http-put' })
  | (HttpSpec & { readonly kind: 'witness'; readonly keys: readonly VerifierKey[] })

interface HttpSpec {
  readonly name: string
  /** Without user and password: these are in the headers. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly tokenFile?: string
}

/** Anchors in one text: one a line, or with a comma in front of the next one. Commas, spaces and `+` stay what they are. */
export const ANCHOR_SEPARATOR: RegExp = /\s*\n\s*|\s*,\s*(?=(?:file|command|https?|witness):)/

const NAME = /^[\x21-\x7e]{1,64}$/
const NAME_LENGTH = 64
const TOKEN_FILE = 'token-file='

/**
 * Reads the setting: `file:PATH`, `command:/PROGRAM ARGUMENT…`, `https://HOST/PATH/{size}` and `witness:URL KEY…`, or an object.
 * Throws ERR_OPTION_INVALID, whose detail tells which of them is wrong by its number: the text may hold a password.
 */
export function parseAnchors(items: unknown): readonly (AnchorSpec | Anchor)[] {
  if (!Array.isArray(items)) throw invalid('it must be a list of strings and anchors')
  const anchors = items.map((item: unknown, at) => (isAnchor(item) ? item : parseAnchor(item, `number ${at + 1}`)))
  const names = anchors.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw invalid(`${twice} is there twice`)
  return anchors
}

function isAnchor(item: unknown): item is Anchor {
  if (item === null || typeof item !== 'object') return false
  const { name, put } = item as Partial<Anchor>
  if (typeof put !== 'function') return false
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalid('the name of an anchor has 1 to 64 visible ASCII characters')
  }
  return true
}

function parseAnchor(text: unknown, which: string): AnchorSpec {
  const [, scheme = '', rest = ''] = (typeof text === 'string' && /^([a-z]+):(.*)$/s.exec(text.trim())) || []
  switch (scheme) {
    case 'file':
      return parseFile(rest, which)
    case 'command':
      return parseCommand(rest, which)
    case 'http':
    case 'https':
      return parseHttpPut(splitWords(`${scheme}:${rest}`, which), which)
    case 'witness':
      return parseWitness(splitWords(rest, which), which)
    default:
      throw invalid(`${which} begins with none of file:, command:, https:, http: and witness:`)
  }
}

function parseFile(rest: string, which: string): AnchorSpec {
  const path = rest.replace(/^\/\/(?=\/)/, '').trim()
  if (path === '' || path.startsWith('//') || /\p{Cc}/u.test(path)) throw invalid(`${which} must be file:PATH`)
  return { kind: 'file', name: nameOf(`file:${path}`), path }
}

function parseCommand(rest: string, which: string): AnchorSpec {
  const [program = '', ...args] = splitWords(rest, which)
  // A name would be looked for in folders that somebody else may have put into PATH.
  if (!isAbsolute(program)) throw invalid(`${which} must name its program by a path that begins at the root`)
  return { kind: 'command', name: nameOf(`command:${program}`, [program, ...args].join('\n')), program, args }
}

function parseHttpPut([address = '', ...options]: readonly string[], which: string): AnchorSpec {
  const { url, headers } = parseAddress(address, which)
  if (!url.includes('{size}')) {
    throw invalid(`${which} needs {size} in its URL, so that no checkpoint takes the place of another one`)
  }
  const tokenFile = parseTokenFile(options, which)
  const { protocol, host } = new URL(url)
  const name = nameOf(`${protocol}${host}`, url)
  return { kind: 'http-put', name, url, ...authorization(headers, tokenFile, protocol, which) }
}

function parseWitness([address = '', ...more]: readonly string[], which: string): AnchorSpec {
  const { url, headers } = parseAddress(address, which)
  if (url.includes('?')) throw invalid(`${which} must have a URL without a query`)
  const keys = more.filter((word) => !word.startsWith(TOKEN_FILE)).map((word) => parseKey(word, which))
  const [first] = keys
  if (first === undefined) throw invalid(`${which} needs the verifier key of the witness behind its URL`)
  const tokenFile = parseTokenFile(
    more.filter((word) => word.startsWith(TOKEN_FILE)),
    which,
  )
  const name = nameOf(`witness:${first.name}+${first.keyId.toString(16).padStart(8, '0')}`)
  return { kind: 'witness', name, url, keys, ...authorization(headers, tokenFile, new URL(url).protocol, which) }
}

function parseKey(word: string, which: string): VerifierKey {
  try {
    const key = parseVerifierKey(word)
    if (key.type === 'cosignature') return key
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw invalid(`${which} has a key that is no verifier key (${error.detail})`)
  }
  throw invalid(`${which} has a key that makes no cosignatures; in a key of a witness, the base64 part begins with B`)
}

function parseAddress(text: string, which: string): { url: string; headers: Record<string, string> } {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.hash !== '') {
    throw invalid(`${which} must have an http or https URL without a fragment`)
  }
  const { username, password } = url
  url.username = ''
  url.password = ''
  const address = url.href.replace(/%7B(size|origin)%7D/gi, '{$1}')
  if (username === '' && password === '') return { url: address, headers: {} }
  if (url.protocol === 'http:' && !/^(localhost|127\..*|\[::1\])$/.test(url.hostname)) {
    throw invalid(`${which} would send its password without TLS`)
  }
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return { url: address, headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } }
  } catch {
    throw invalid(`${which} has a user or a password with a % that begins no character`)
  }
}

function parseTokenFile(options: readonly string[], which: string): string | undefined {
  const [option, more] = options
  if (option === undefined) return undefined
  const path = option.slice(TOKEN_FILE.length)
  if (more !== undefined || !option.startsWith(TOKEN_FILE) || path === '') {
    throw invalid(`${which} may have nothing behind its URL but token-file=PATH`)
  }
  return path
}

function authorization(
  headers: Record<string, string>,
  tokenFile: string | undefined,
  protocol: string,
  which: string,
): Pick<HttpSpec, 'headers' | 'tokenFile'> {
  if (tokenFile === undefined) return { headers }
  if (headers.Authorization !== undefined) throw invalid(`${which} has both a password and a token`)
  if (protocol === 'http:') throw invalid(`${which} would send its token without TLS`)
  return { headers, tokenFile }
}

/** Words with spaces between them; one that has spaces itself is in double quotes. */
function splitWords(text: string, which: string): string[] {
  const words = [...text.trim().matchAll(/"([^"]*)"(?=\s|$)|([^\s"]+)(?=\s|$)|(\S)/g)]
  if (words.some(([, , , wrong]) => wrong !== undefined)) throw invalid(`${which} has a quote that stands alone`)
  return words.map(([, quoted, plain]) => quoted ?? plain ?? '')
}

/**
 * The same after each start, whatever else is in the list. `whole` is what tells anchors of one label apart; it may have a
 * secret in it, of which nothing is told by 32 bits of a hash.
 */
function nameOf(label: string, whole?: string): string {
  const visible = label.replace(/[^\x21-\x7e]/g, '_')
  if (whole === undefined && visible === label && label.length <= NAME_LENGTH) return label
  const digest = hash('sha256', whole ?? label).slice(0, 8)
  return `${visible.slice(0, NAME_LENGTH - 1 - digest.length)}~${digest}`
}

function invalid(problem: string): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail: `anchors: ${problem}.` })
}
