import type { Gatebook, User, UserId } from '../api.ts'
import { GatebookError } from '../errors.ts'
import { isId } from '../util/id.ts'

/**
 * The user that an id or an identifier names. One text can be both, since applications choose their ids: then nobody is
 * chosen, because the wrong one could be disabled. Throws ERR_USER_NOT_FOUND and ERR_USAGE.
 */
export async function getUser(gate: Gatebook, idOrIdentifier: string): Promise<User> {
  const user = await findUser(gate, idOrIdentifier)
  if (user === null) throw new GatebookError('ERR_USER_NOT_FOUND', { detail: idOrIdentifier })
  return user
}

/** For filters, which may name a user that is known only from its events: then the text is taken as the id. */
export async function findUserId(gate: Gatebook, idOrIdentifier: string): Promise<UserId> {
  return (await findUser(gate, idOrIdentifier))?.id ?? idOrIdentifier
}

async function findUser(gate: Gatebook, idOrIdentifier: string): Promise<User | null> {
  const byId = await gate.users.find(idOrIdentifier)
  const byIdentifier = isId('user', idOrIdentifier) ? null : await gate.users.findByIdentifier(idOrIdentifier)
  if (byId !== null && byIdentifier !== null && byId.id !== byIdentifier.id) {
    throw new GatebookError('ERR_USAGE', {
      detail: `${idOrIdentifier} is the identifier of ${byIdentifier.id} and the id of another user; give ${byIdentifier.id}, or --application-user for the other one.`,
    })
  }
  return byId ?? byIdentifier
}

/** The same as `getUser` where the application's own users count too: with the flag, the text is their id and not looked up. */
export async function getUserId(gate: Gatebook, idOrIdentifier: string, applicationUser: boolean): Promise<UserId> {
  return applicationUser ? idOrIdentifier : (await getUser(gate, idOrIdentifier)).id
}
