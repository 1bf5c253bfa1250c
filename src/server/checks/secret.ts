import { existsSync, readFileSync, statSync } from 'node:fs'
import { isGatebookError } from '../../errors.ts'
import { requireSecretOf } from '../../secret/load-secret.ts'
import { type MasterSecret, parseMasterSecret } from '../../secret/master-secret.ts'
import type { Check, CheckContext } from '../check.ts'
import type { Finding, FindingCode } from '../findings.ts'
import { hasTables } from './tables.ts'

/** Weak, lost, readable by others, or of another database. */
export const secret: Check = {
  name: 'secret',
  async run(context) {
    const text = readSecret(context)
    if (text === null) return [await describeMissing(context)]
    const findings: Finding[] = []
    const secret = parse(text, findings)
    if (secret !== null) findings.push(...(await compare(context, secret)))
    if (isReadableByOthers(context)) findings.push({ code: 'secret-readable' })
    return findings
  },
}

function readSecret({ config }: CheckContext): string | null {
  if (config.secret.value !== null) return config.secret.value as string
  const path = config.secretFile.value as string
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

/** Where nothing was set up yet, there is nothing to be lost. */
async function describeMissing({ database, environment }: CheckContext): Promise<Finding> {
  const setUp = database !== null && (await hasTables(database))
  return { code: setUp || environment.NODE_ENV === 'production' ? 'secret-missing' : 'secret-new' }
}

function parse(text: string, findings: Finding[]): MasterSecret | null {
  try {
    return parseMasterSecret(text, 'secret')
  } catch (error) {
    const codes: Record<string, FindingCode> = { ERR_SECRET_WEAK: 'secret-weak', ERR_SECRET_MISSING: 'secret-missing' }
    findings.push({ code: (isGatebookError(error) && codes[error.code]) || 'settings-wrong' })
    return null
  }
}

async function compare({ database }: CheckContext, secret: MasterSecret): Promise<readonly Finding[]> {
  if (database === null || !(await hasTables(database))) return []
  try {
    await requireSecretOf(database.kysely, secret)
    return [{ code: 'secret-ok', figures: { versions: secret.versions.length } }]
  } catch (error) {
    if (!isGatebookError(error, 'ERR_SECRET_MISMATCH')) throw error
    return [{ code: 'secret-other' }]
  }
}

function isReadableByOthers({ config }: CheckContext): boolean {
  const path = config.secret.value === null ? (config.secretFile.value as string) : null
  return process.platform !== 'win32' && path !== null && existsSync(path) && (statSync(path).mode & 0o077) !== 0
}
