// Apart from `id.ts`, which needs random bytes of Node: what is in an id is looked at in a browser, too.

const BODY_LENGTH = 26
const BODY = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/

/** The prefix tells what an id names. */
export const ID_PREFIXES = {
  user: 'usr_',
  session: 'ses_',
  event: 'evt_',
  device: 'dev_',
  token: 'tok_',
  request: 'req_',
  key: 'key_',
  invitation: 'inv_',
  client: 'cli_',
  oneTimeToken: 'ott_',
  hold: 'hld_',
  erasure: 'ers_',
  audit: 'aud_',
} as const

export type IdKind = keyof typeof ID_PREFIXES
export type Id<K extends IdKind> = string & { readonly __id: K }
export type SessionId = Id<'session'>
export type DeviceId = Id<'device'>

/** True for exactly what `generateId` makes for this kind. */
export function isId<K extends IdKind>(kind: K, text: string): text is Id<K> {
  const prefix = ID_PREFIXES[kind]
  return text.length === prefix.length + BODY_LENGTH && text.startsWith(prefix) && BODY.test(text.slice(prefix.length))
}
