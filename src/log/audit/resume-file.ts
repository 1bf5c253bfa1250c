import { rm } from 'node:fs/promises'
import { GatebookError } from '../../errors.ts'
import { HASH_BYTES } from '../../proof/hash.ts'
import { decodeFrontier } from '../../proof/tree.ts'
import { readPrivateFile, replacePrivateFile } from '../../secret/private-file.ts'
import { decodeBase64 } from '../../util/base64.ts'
import { type AuditState, PHASES } from './audit-state.ts'

/** Null when there is none yet. Throws ERR_AUDIT_INPUT for one of an audit that was given other things. */
export async function readResumeFile(path: string, inputs: string): Promise<AuditState | null> {
  const text = await readPrivateFile(path).catch((error: NodeJS.ErrnoException) => {
    throw unusable(path, `it cannot be read (${error.code})`)
  })
  if (text === null) return null
  let state: unknown
  try {
    state = JSON.parse(text)
  } catch {
    throw unusable(path, 'it is not the state of an audit')
  }
  if (!isState(state)) throw unusable(path, 'it is not the state of an audit of this version')
  if (state.inputs !== inputs) {
    throw unusable(
      path,
      'it is of an audit of another database, or with other keys or checkpoints; remove it to begin anew',
    )
  }
  return state
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): boolean => typeof value === 'string'
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isList = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(isItem)
const isCounts = (value: unknown): boolean => isRecord(value) && Object.values(value).every(isCount)
const isHash = (value: unknown): boolean => isText(value) && decodeBase64(value as string)?.length === HASH_BYTES
const isByClass = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  isRecord(value) && isItem(value.id) && isItem(value.net)

/** What each member has to be, so that a file that somebody has spoilt is refused for that and breaks nothing. */
const MEMBERS: Readonly<Record<keyof AuditState, (value: unknown) => boolean>> = {
  version: (value) => value === 1,
  inputs: isText,
  size: isCount,
  pruned: isCount,
  announced: isCount,
  recorded: isCount,
  covered: isCount,
  epochs: (value) => isList(value, (pair) => isList(pair, Number.isSafeInteger) && (pair as unknown[]).length === 2),
  guard: (value) => value === null || isText(value),
  phase: (value) => PHASES.includes(value as AuditState['phase']),
  next: isCount,
  treeSize: isCount,
  frontier: isText,
  tiles: (value) => isList(value, (tile) => tile === null || isTile(tile)),
  after: isText,
  root: isText,
  events: isCount,
  checkpoints: isCount,
  anchored: isCount,
  fits: isCount,
  broken: (value) => value === null || isCount(value),
  misfits: (value) => isList(value, isMisfits),
  missing: (value) => isByClass(value, isCounts),
  missed: (value) => isByClass(value, (list) => isList(list, Array.isArray)),
  counts: isCounts,
  findings: isCount,
  kept: (value) => isList(value, (each) => isRecord(each) && each.kind === 'finding' && isText(each.code)),
  milliseconds: isCount,
}

function isState(value: unknown): value is AuditState {
  if (!isRecord(value)) return false
  if (!Object.entries(MEMBERS).every(([name, accepts]) => accepts(value[name]))) return false
  const { treeSize, frontier } = value as unknown as AuditState
  const bytes = decodeBase64(frontier)
  try {
    return bytes !== null && decodeFrontier(treeSize, bytes).size === treeSize
  } catch {
    return false
  }
}

function isTile(value: unknown): boolean {
  return isRecord(value) && isCount(value.place) && isCount(value.first) && isList(value.hashes, isHash)
}

function isMisfits(value: unknown): boolean {
  if (!isRecord(value) || (value.kind !== 'root-differs' && value.kind !== 'log-truncated')) return false
  return isText(value.source) && [value.epoch, value.smallest, value.largest, value.count].every(isCount)
}

/** What was there before is there whole until the new one is. */
export async function writeResumeFile(path: string, state: AuditState): Promise<void> {
  try {
    await replacePrivateFile(path, JSON.stringify(state))
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw unusable(path, `it cannot be written (${code})`)
  }
}

export async function removeResumeFile(path: string): Promise<void> {
  await rm(path, { force: true })
}

function unusable(path: string, why: string): GatebookError {
  return new GatebookError('ERR_AUDIT_INPUT', { detail: `${path}: ${why}.` })
}
