/** A session whose access tokens must be refused although they have not expired. */
export interface Revocation {
  readonly sessionId: string
  readonly ended: boolean
  /** Access tokens of a smaller generation are stale. */
  readonly generation: number
  /** Why the session has ended; null where it has not. */
  readonly reason: string | null
  /** Epoch milliseconds. When no access token of before can be valid any more. */
  readonly forgetAt: number
}

/** What is known of the sessions that are revoked. Asking costs no query and makes no object. */
export interface RevokedSessions {
  /** `now` in epoch milliseconds. False when all of it was known. */
  note(revocation: Revocation, now: number): boolean
  /** Access tokens of a smaller generation are refused: 0 for all that is well, `EVERY_GENERATION` for an ended session. */
  leastGeneration(sessionId: string): number
  /** Of an ended session. */
  reasonOf(sessionId: string): string | null
  /** Gives up what no token depends on any more. */
  forget(now: number): void
  readonly size: number
  /** Of the tables. */
  readonly bytes: number
}

export const EVERY_GENERATION = 0xffff_ffff

const SLOTS_LEAST = 256
/** Room for eight million sessions in 200 MiB; whoever has more of them within one life of a token has other trouble. */
const SLOTS_MOST = 2 ** 23
const REASONS_MOST = 255

interface Tables {
  /** Four words of each id. */
  readonly ids: Uint32Array
  readonly generations: Uint32Array
  /** Epoch seconds, rounded up; 0 for a slot that is free. */
  readonly forget: Uint32Array
  readonly reasons: Uint8Array
  readonly mask: number
}

/**
 * A hash table over typed arrays, 25 bytes a slot: as objects in a Map, a hundred thousand sessions would take some 25 MB and
 * be walked by each garbage collection. The last word of an id is random, so it is its own hash.
 */
export function createRevokedSessions(): RevokedSessions {
  let tables = makeTables(SLOTS_LEAST)
  let size = 0
  const reasons: string[] = []
  const id = new Uint32Array(4)

  function note({ sessionId, ended, generation, reason, forgetAt }: Revocation, now: number): boolean {
    if (!readId(sessionId, id)) return false
    if (size >= (tables.mask + 1) * 0.75) grow(now)
    const slot = findSlot(tables, id)
    const known = tables.forget[slot] !== 0
    if (!known) {
      tables.ids.set(id, slot * 4)
      size += 1
    }
    const [generationBefore, forgetBefore] = [tables.generations[slot]!, tables.forget[slot]!]
    const least = ended ? EVERY_GENERATION : Math.min(generation, EVERY_GENERATION - 1)
    tables.generations[slot] = Math.max(least, known ? generationBefore : 0)
    tables.forget[slot] = Math.max(Math.min(Math.ceil(forgetAt / 1000), EVERY_GENERATION), forgetBefore, 1)
    if (reason !== null) tables.reasons[slot] = indexOf(reason)
    return !known || tables.generations[slot] !== generationBefore || tables.forget[slot] !== forgetBefore
  }

  /** 0 is for none; the list is the server's, and closed. */
  function indexOf(reason: string): number {
    let at = reasons.indexOf(reason)
    if (at === -1 && reasons.length < REASONS_MOST) at = reasons.push(reason) - 1
    return at + 1
  }

  function grow(now: number): void {
    forget(now)
    // Forgetting may have made room.
    const slots = size >= (tables.mask + 1) * 0.75 ? (tables.mask + 1) * 2 : tables.mask + 1
    if (slots > SLOTS_MOST) throw new RangeError('more sessions were revoked than can be remembered')
    if (slots > tables.mask + 1) move(slots, 0)
  }

  function forget(now: number): void {
    const second = Math.floor(now / 1000)
    let expired = 0
    for (let slot = 0; slot <= tables.mask; slot++) {
      const at = tables.forget[slot]!
      if (at !== 0 && at <= second) expired += 1
    }
    if (expired === 0) return
    let slots = SLOTS_LEAST
    while (size - expired >= slots * 0.375) slots *= 2
    move(slots, second)
  }

  /** Into new tables, without what is to be forgotten by this second. */
  function move(slots: number, second: number): void {
    const old = tables
    tables = makeTables(slots)
    size = 0
    for (let from = 0; from <= old.mask; from++) {
      if (old.forget[from]! <= second) continue
      const moved = old.ids.subarray(from * 4, from * 4 + 4)
      const to = findSlot(tables, moved)
      tables.ids.set(moved, to * 4)
      tables.generations[to] = old.generations[from]!
      tables.forget[to] = old.forget[from]!
      tables.reasons[to] = old.reasons[from]!
      size += 1
    }
  }

  function find(sessionId: string): number {
    if (size === 0 || !readId(sessionId, id)) return -1
    const slot = findSlot(tables, id)
    return tables.forget[slot] === 0 ? -1 : slot
  }

  return {
    note,
    leastGeneration(sessionId) {
      const slot = find(sessionId)
      return slot === -1 ? 0 : tables.generations[slot]!
    },
    reasonOf(sessionId) {
      const slot = find(sessionId)
      return slot === -1 ? null : (reasons[tables.reasons[slot]! - 1] ?? null)
    },
    forget,
    get size() {
      return size
    },
    get bytes() {
      return (tables.mask + 1) * 25
    },
  }
}

function makeTables(slots: number): Tables {
  return {
    ids: new Uint32Array(slots * 4),
    generations: new Uint32Array(slots),
    forget: new Uint32Array(slots),
    reasons: new Uint8Array(slots),
    mask: slots - 1,
  }
}

/** The slot of this id, or the free one where it belongs. There always is a free one. */
function findSlot({ ids, forget, mask }: Tables, id: Uint32Array): number {
  for (let slot = id[3]! & mask; ; slot = (slot + 1) & mask) {
    if (forget[slot] === 0) return slot
    const at = slot * 4
    if (ids[at + 3] === id[3] && ids[at + 2] === id[2] && ids[at + 1] === id[1] && ids[at] === id[0]) return slot
  }
}

const PREFIX = 'ses_'
const LENGTH = PREFIX.length + 26
const NO_DIGIT = 255
const DIGITS = new Uint8Array(128).fill(NO_DIGIT)
for (const [value, character] of [...'0123456789abcdefghjkmnpqrstvwxyz'].entries()) {
  DIGITS[character.charCodeAt(0)] = value
}

/** The 128 bits of a session id (see `util/id.ts`) as four words, in one go; false for anything else. */
function readId(sessionId: string, words: Uint32Array): boolean {
  if (sessionId.length !== LENGTH || !sessionId.startsWith(PREFIX)) return false
  let word = 0
  let bits = -2
  let at = 0
  for (let place = PREFIX.length; place < LENGTH; place++) {
    const code = sessionId.charCodeAt(place)
    const digit = code < 128 ? DIGITS[code]! : NO_DIGIT
    // The first one has three bits.
    if (digit === NO_DIGIT || (bits < 0 && digit > 7)) return false
    const missing = 32 - bits
    if (missing > 5) {
      word = (word << 5) | digit
      bits += 5
      continue
    }
    words[at++] = (word << missing) | (digit >> (5 - missing))
    bits = 5 - missing
    word = digit & ((1 << bits) - 1)
  }
  return true
}
