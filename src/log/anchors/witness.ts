import { type NoteSignature, parseNote, parseSignatures, verifySignature } from '../../proof/note.ts'
import type { VerifierKey } from '../../proof/note-key.ts'
import { ProofError } from '../../proof/proof-error.ts'
import { encodeBase64 } from '../../util/base64.ts'
import { type Anchor, AnchorError, AnchorForkError, type Published } from '../anchor.ts'
import { exchange, type HttpAnswer, type HttpTarget, refusal } from './request.ts'

export interface WitnessAnchorOptions extends HttpTarget {
  readonly name: string
  /** The submission prefix; `/add-checkpoint` comes behind it. */
  readonly url: string
  /** Of type `cosignature`. One of them has to have signed. */
  readonly keys: readonly VerifierKey[]
}

/** How often a witness may tell another size: more than once when somebody else hands it checkpoints too. */
const SIZES_MOST = 3
/** C2SP tlog-witness. */
const PROOF_LINES_MOST = 63
const SIZE_TYPE = /^text\/x\.tlog\.size\s*(;|$)/

const WORDS: Readonly<Record<number, string>> = {
  400: 'it could not read the request',
  403: 'it does not know the key that has signed',
  404: 'it does not know this log',
}

/**
 * A C2SP tlog-witness. It signs a checkpoint when that continues the one that it has signed before, so it is also who finds out
 * that a log was rolled back or rewritten: AnchorForkError when it has signed a larger one, another one of this size, or one
 * that this one does not continue.
 */
export function createWitnessAnchor(options: WitnessAnchorOptions): Anchor {
  const url = `${options.url.replace(/\/$/, '')}/add-checkpoint`
  /** What it has signed last, by origin, as far as this process knows. It tells when that is wrong. */
  let known = { origin: '', size: 0 }

  async function submit(published: Published, oldSize: number, signal: AbortSignal): Promise<HttpAnswer> {
    const proof = await published.proveConsistency(oldSize)
    if (proof.length > PROOF_LINES_MOST) throw new AnchorError('The proof is longer than a witness takes.')
    const lines = [`old ${oldSize}`, ...proof.map(encodeBase64), '', published.note]
    const headers = { 'Content-Type': 'text/plain; charset=utf-8' }
    return exchange(options, { method: 'POST', url, headers, body: lines.join('\n') }, signal)
  }

  return {
    name: options.name,
    cosigns: true,
    async put(published, signal) {
      const { origin, size } = published.checkpoint
      let oldSize = known.origin === origin ? Math.min(known.size, size) : 0
      for (let told = 0; told <= SIZES_MOST; told++) {
        const answer = await submit(published, oldSize, signal)
        if (answer.status === 200) {
          const cosignatures = verifyCosignatures(published.note, answer.body, options.keys)
          known = { origin, size }
          return { cosignatures }
        }
        if (answer.status === 422) {
          throw new AnchorForkError(
            `This log does not continue the one of size ${oldSize} that the witness has signed.`,
          )
        }
        if (answer.status !== 409) throw refusal(url, answer, WORDS[answer.status])
        const signed = readSize(answer)
        if (oldSize === size && (signed === null || signed === size)) {
          throw new AnchorForkError(`The witness has signed another checkpoint of size ${size}.`)
        }
        if (signed === null || signed === oldSize) throw refusal(url, answer, 'but did not tell its size')
        if (signed > size) {
          throw new AnchorForkError(`The witness has signed a checkpoint of size ${signed}, and this log has ${size}.`)
        }
        oldSize = signed
      }
      throw new AnchorError('The witness told another size each time it was asked.')
    },
  }
}

function readSize({ type, body }: HttpAnswer): number | null {
  const digits = /^(0|[1-9][0-9]{0,15})\n$/.exec(body)?.[1]
  const size = Number(digits)
  return digits !== undefined && SIZE_TYPE.test(type ?? '') && Number.isSafeInteger(size) ? size : null
}

/** Signatures by other keys are ignored; a wrong one by one of these says that it is not the witness. */
function verifyCosignatures(note: string, lines: string, keys: readonly VerifierKey[]): NoteSignature[] {
  const { text } = parseNote(note)
  try {
    const found = parseSignatures(lines).flatMap((signature) => {
      const key = keys.find(({ name, keyId }) => name === signature.name && keyId === signature.keyId)
      if (key === undefined) return []
      if (verifySignature(text, signature, key).signedAt === 0) throw new ProofError('ERR_NOTE_SIGNATURE', 'no time')
      return [signature]
    })
    if (found.length > 0) return found
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw new AnchorError(`The witness answered with a wrong signature (${error.code}).`, { cause: error })
  }
  throw new AnchorError('The witness answered without a signature by its key.')
}
