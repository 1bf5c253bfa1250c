import { GatebookError } from '../errors.ts'
import { CAPS, isPrintable } from '../event/redact.ts'

/** Joiners, variation selectors, soft hyphens: with them two names look like one. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/u

const IDEOGRAPHIC_STOP = '\u3002'

/**
 * The key under which an identifier is found: NFKC (which makes one of full and half width), lower case, without white
 * space at the ends and dots at the end; dots of East Asian keyboards count as dots in a domain. It stands beside the typed form, and its column compares byte by byte on every engine, so that no collation decides who is the same user.
 * Throws ERR_IDENTIFIER_INVALID.
 */
export function normalizeIdentifier(typed: string): string {
  if (typed.length > CAPS.identifier || !isPrintable(typed) || INVISIBLE.test(typed)) {
    throw new GatebookError('ERR_IDENTIFIER_INVALID')
  }
  const folded = typed.normalize('NFKC').toLowerCase().normalize('NFKC').trim()
  const at = folded.lastIndexOf('@') + 1
  const domain = at === 0 ? '' : folded.slice(at).replaceAll(IDEOGRAPHIC_STOP, '.')
  // `example.org.` is `example.org`, and a name must not differ from another one by what a sentence ends with.
  const key = (at === 0 ? folded : folded.slice(0, at) + domain).replace(/[.\s]+$/u, '')
  if (key === '' || key.length > CAPS.identifier) throw new GatebookError('ERR_IDENTIFIER_INVALID')
  return key
}
