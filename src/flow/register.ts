/**
 * Register with identifier and password, and log in.
 *
 * Events: `user.registered` and `login.succeeded`, or `registration.refused` (closed, identifier-taken, throttled), with
 * `throttle.locked` when it was the last free failure of the address.
 *
 * The answer tells whether a name is taken; so each registration of an address counts, taken or not, like the failures of
 * its log-ins but apart from them.
 */
import type { RequestContext, SessionTokens, User } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { REGISTRATION_REFUSAL_REASONS } from '../event/catalogue.ts'
import type { NewEvent } from '../event/event.ts'
import { checkGrant } from '../session/session-grant.ts'
import type { Transaction } from '../store/transaction.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { parseRole } from '../user/role.ts'
import { lockSubject } from '../user/subject.ts'
import { generateId } from '../util/id.ts'
import { countAttempt } from './counted-attempt.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'
import { collectClaims, startSession } from './start-session.ts'

export interface RegisterInput {
  readonly identifier: string
  readonly password: string
}

export async function register(
  parts: FlowParts,
  input: RegisterInput,
  context: RequestContext = {},
): Promise<SessionTokens> {
  const { settings, store, identifiers } = parts
  const identifierKey = normalizeIdentifier(input.identifier)
  const source = eventSource(context, { kind: 'anonymous' })
  const refusal = (reason: (typeof REGISTRATION_REFUSAL_REASONS)[number]): NewEvent => ({
    ...source,
    type: 'registration.refused',
    outcome: 'denied',
    reason,
    identifier: identifiers.describe(input.identifier, identifierKey, reason === 'identifier-taken'),
  })
  if (settings.registration === 'closed') {
    await parts.refusals.append(refusal('closed'))
    throw new GatebookError('ERR_REGISTRATION_CLOSED')
  }
  await parts.passwords.checkNew(input.password, identifierKey)
  const slot = parts.passwords.reserve()
  try {
    const attempt = await countAttempt(
      parts,
      { purpose: 'registration', account: null, ip: source.network?.ip },
      refusal('throttled'),
    )
    const now = settings.clock.now()
    const userId = generateId('user', now)
    const passwordHash = await parts.passwords.hash(input.password, slot)
    const grant = checkGrant()
    const prepared = {
      grant,
      roles: [],
      claims: await collectClaims(parts, { userId, roles: [] }, {}),
      knownDeviceId: null,
      context,
      loginEvent: {
        identifier: identifiers.describe(input.identifier, identifierKey, true),
        data: { known_device: false },
      },
    }
    try {
      return await store.transaction(async (tx) => {
        await insertUser(
          parts,
          tx,
          { userId, identifier: input.identifier, identifierKey, passwordHash, createdAt: now },
          context,
        )
        const subject = await lockSubject(tx, userId, now)
        const tokens = await startSession(parts, tx, subject, prepared)
        await attempt.keepIn(tx, refusal('throttled'))
        return tokens
      })
    } catch (error) {
      if (!store.traits.isUniqueViolation(error)) throw error
      await attempt.fail(refusal('identifier-taken'))
      throw new GatebookError('ERR_IDENTIFIER_TAKEN')
    }
  } finally {
    slot.release()
  }
}

/**
 * Make a user without a session: by an operator or the application, whatever `registration` says.
 *
 * Events: `user.registered`, and `role.granted` for each role.
 */
export async function createUser(
  parts: FlowParts,
  input: RegisterInput & { readonly roles?: readonly string[] },
  context: RequestContext = {},
): Promise<User> {
  const { settings, store, log } = parts
  const identifierKey = normalizeIdentifier(input.identifier)
  const roles = [...new Set((input.roles ?? []).map(parseRole))].sort()
  await parts.passwords.checkNew(input.password, identifierKey)
  const passwordHash = await parts.passwords.hash(input.password)
  const now = settings.clock.now()
  const userId = generateId('user', now)
  const source = eventSource(context, { kind: 'application' })
  try {
    await store.transaction(async (tx) => {
      await insertUser(
        parts,
        tx,
        { userId, identifier: input.identifier, identifierKey, passwordHash, createdAt: now },
        { ...context, actor: source.actor },
      )
      if (roles.length === 0) return
      await tx.db
        .insertInto('gatebook_role')
        .values(roles.map((role) => ({ subject_id: userId, role, granted_at: now })))
        .execute()
      await log.append(
        tx,
        roles.map((role) => ({ ...source, type: 'role.granted', outcome: 'success', subject: userId, data: { role } })),
      )
    })
  } catch (error) {
    if (!store.traits.isUniqueViolation(error)) throw error
    throw new GatebookError('ERR_IDENTIFIER_TAKEN')
  }
  return { id: userId, identifier: input.identifier.trim(), createdAt: now, disabledAt: null, roles }
}

interface NewUser {
  readonly createdAt: number
  readonly userId: string
  readonly identifier: string
  readonly identifierKey: string
  readonly passwordHash: string
}

async function insertUser(parts: FlowParts, tx: Transaction, user: NewUser, context: RequestContext): Promise<void> {
  const { userId, identifier, identifierKey, passwordHash, createdAt: now } = user
  await tx.db
    .insertInto('gatebook_user')
    .values({ id: userId, identifier: identifier.trim(), identifier_key: identifierKey, created_at: now })
    .execute()
  await tx.db
    .insertInto('gatebook_subject')
    .values({ id: userId, generation: 0, credential_version: 0, created_at: now, disabled_at: null, erased_at: null })
    .execute()
  await tx.db
    .insertInto('gatebook_credential')
    .values({ user_id: userId, password_hash: passwordHash, changed_at: now })
    .execute()
  await parts.log.append(tx, [
    {
      ...eventSource(context, { kind: 'user', id: userId }),
      type: 'user.registered',
      outcome: 'success',
      subject: userId,
      identifier: parts.identifiers.describe(identifier, identifierKey, true),
    },
  ])
}
