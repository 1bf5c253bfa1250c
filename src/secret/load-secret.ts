import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { resolve } from 'node:path'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { ifAbsent } from '../store/insert-if-absent.ts'
import type { Store } from '../store/store.ts'
import { type MasterSecret, parseMasterSecret } from './master-secret.ts'
import { placePrivateFile, readPrivateFile } from './private-file.ts'

/**
 * The configured secret; outside production one that is made at the first start, in a file that only its owner can read.
 * It is compared with what this database was set up with, so that a wrong or a lost one is found at the start and not by
 * users who are logged out.
 *
 * Throws ERR_SECRET_MISSING, ERR_SECRET_WEAK, ERR_SECRET_MISMATCH, ERR_OPTION_INVALID.
 */
export async function loadMasterSecret(store: Store, settings: Settings): Promise<MasterSecret> {
  const known = await readKnown(store.read)
  const secret = await readOrCreate(settings, known.size > 0)
  await checkAgainstDatabase(store, secret, known)
  return secret
}

async function readOrCreate(settings: Settings, databaseHasSecret: boolean): Promise<MasterSecret> {
  if (settings.secret !== null) return parseMasterSecret(settings.secret, 'secret')
  const path = resolve(settings.secretFile)
  const text = (await readFileOf(path)) ?? (await createSecretFile(path, settings, databaseHasSecret))
  return parseMasterSecret(text, `the file ${path} (secretFile)`)
}

async function readFileOf(path: string): Promise<string | null> {
  return readPrivateFile(path).catch((error: unknown) => {
    throw unusable(path, 'read', error)
  })
}

function unusable(path: string, what: 'read' | 'made', cause: unknown): GatebookError {
  const detail = `The file ${path} (secretFile) cannot be ${what}: ${(cause as Error).message}.`
  return new GatebookError('ERR_SECRET_MISSING', { cause, detail })
}

async function createSecretFile(path: string, settings: Settings, databaseHasSecret: boolean): Promise<string> {
  if (databaseHasSecret) {
    throw new GatebookError('ERR_SECRET_MISSING', {
      detail: `This database was set up with a master secret, and there is no file ${path} (secretFile). Run in the folder that has it, set secret or secretFile, or restore it.`,
    })
  }
  if (process.env.NODE_ENV === 'production') {
    throw new GatebookError('ERR_SECRET_MISSING', {
      detail: `With NODE_ENV=production the master secret is not made up: set secret, or put one into ${path} (secretFile), e.g. from: openssl rand -base64 32`,
    })
  }
  const { text, made } = await placePrivateFile(path, `${randomBytes(32).toString('base64url')}\n`).catch(
    (error: unknown) => {
      throw unusable(path, 'made', error)
    },
  )
  if (!made) return text
  settings.diagnostics.info(
    { path },
    'A master secret was made. Keep it out of the repository and out of the backups of the database.',
  )
  return text
}

/** Compares without noting anything down, for whoever only looks. Throws ERR_SECRET_MISMATCH. */
export async function requireSecretOf(db: Store['db'], secret: MasterSecret): Promise<void> {
  requireFit(secret, await readKnown((work) => work(db)))
}

interface SecretMark {
  readonly name: string
  readonly value: string
}

function requireFit(secret: MasterSecret, known: ReadonlyMap<string, string>): readonly SecretMark[] {
  const mine = secret.versions.map((version) => ({
    name: `secret:${version}`,
    value: createHmac('sha256', secret.deriveKey('check', version)!).update('gatebook').digest('base64url'),
  }))
  compare(mine, known)
  if (known.size > 0 && mine.every(({ name }) => !known.has(name))) {
    throw mismatch(
      'None of the versions of the master secret has been used with this database before. Add the old one beside the new one.',
    )
  }
  return mine
}

async function checkAgainstDatabase(
  store: Store,
  secret: MasterSecret,
  known: ReadonlyMap<string, string>,
): Promise<void> {
  const mine = requireFit(secret, known)
  const fresh = mine.filter(({ name }) => !known.has(name))
  if (fresh.length === 0) return
  await store.transaction(({ db, traits }) =>
    ifAbsent(db.insertInto('gatebook_meta').values(fresh), traits, 'name').execute(),
  )
  // Two processes that start on a new database at once may come with two secrets: the second one finds out here.
  compare(mine, await readKnown(store.read))
}

async function readKnown(read: Store['read']): Promise<ReadonlyMap<string, string>> {
  const rows = await read((db) =>
    db.selectFrom('gatebook_meta').selectAll().where('name', 'like', 'secret:%').execute(),
  )
  return new Map(rows.map(({ name, value }) => [name, value]))
}

function compare(mine: readonly SecretMark[], known: ReadonlyMap<string, string>): void {
  for (const { name, value } of mine) {
    const expected = known.get(name)
    if (expected !== undefined && !timingSafeEqual(Buffer.from(expected), Buffer.from(value))) {
      throw mismatch(
        `Version ${name.slice('secret:'.length)} of the master secret is not the one that this database was set up with. Restore it, or give the new one a higher version.`,
      )
    }
  }
}

function mismatch(detail: string): GatebookError {
  return new GatebookError('ERR_SECRET_MISMATCH', { detail })
}
