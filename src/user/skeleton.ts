import { createHash } from 'node:crypto'
import unhomoglyph from 'unhomoglyph'
import { encodeBase64url } from '../util/base64url.ts'

/**
 * The digest of what a name looks like: two names with one digest can be taken for each other (Unicode UTS 39, section 4,
 * "skeleton"), e.g. `paypa1` and `paypal`, or `anna` with Cyrillic letters. Of a normalised identifier. A digest, because
 * skeletons are longer than names and are good for nothing but being compared.
 */
export function skeletonOf(identifierKey: string): string {
  const skeleton = unhomoglyph(identifierKey.normalize('NFD')).normalize('NFD')
  return encodeBase64url(createHash('sha256').update(skeleton, 'utf8').digest())
}
