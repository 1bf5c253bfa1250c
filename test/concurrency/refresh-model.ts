/**
 * What may become of the refresh tokens of one session, written down from the rule in words and from nothing else:
 *
 * The tokens of a session are a chain. Only the newest can be spent, which makes the next one. A token that was spent at
 * most one grace period ago is answered with its successor once more, as long as that has not been spent itself, and is
 * superseded when it has. A token that was spent longer ago ends the session, and nothing revives an ended one.
 */

export interface RefreshRules {
  readonly graceMilliseconds: number
  readonly idleMilliseconds: number
  readonly absoluteMilliseconds: number
}

export interface SessionModel {
  /** One for each token of the chain, the first one first: when it was spent, in milliseconds; null for the newest. */
  readonly chain: readonly (number | null)[]
  readonly expiresAt: number
  /** However often it is refreshed. */
  readonly endsAt: number
  readonly ended: 'logout' | 'refresh-reused' | 'expired' | null
}

export type Outcome =
  | 'rotated'
  | 'grace'
  | 'superseded'
  | 'reused'
  | 'ended'
  | 'found expired'
  | 'expired'
  | 'logged out'
  | 'nothing to log out'
  | 'housekeeping'

interface Trace {
  readonly of: Deed['kind']
  /** The answer; null where nobody asked. */
  readonly code: string | null
  /** Exactly these events, as type and reason. */
  readonly events: readonly string[]
}

/** What each outcome answers, and leaves. */
export const TRACES: Readonly<Record<Outcome, Trace>> = {
  rotated: { of: 'refresh', code: 'no error', events: ['session.refreshed'] },
  grace: { of: 'refresh', code: 'no error', events: ['session.refreshed grace'] },
  superseded: { of: 'refresh', code: 'ERR_REFRESH_SUPERSEDED', events: ['session.refresh-refused superseded'] },
  reused: {
    of: 'refresh',
    code: 'ERR_REFRESH_REUSED',
    events: ['session.ended refresh-reused', 'session.refresh-refused reused'],
  },
  ended: { of: 'refresh', code: 'ERR_REFRESH_ENDED', events: ['session.refresh-refused ended'] },
  'found expired': {
    of: 'refresh',
    code: 'ERR_REFRESH_EXPIRED',
    events: ['session.ended expired', 'session.refresh-refused expired'],
  },
  expired: { of: 'refresh', code: 'ERR_REFRESH_EXPIRED', events: ['session.refresh-refused expired'] },
  'logged out': { of: 'logout', code: 'no error', events: ['session.ended logout'] },
  'nothing to log out': { of: 'logout', code: 'no error', events: [] },
  housekeeping: { of: 'housekeeping', code: null, events: ['session.ended expired'] },
}

/** Something that was done with the session. */
export interface Deed {
  readonly kind: 'refresh' | 'logout' | 'housekeeping'
  /** Place in the chain of the token that was presented. */
  readonly token: number
}

export interface Judgement {
  readonly outcome: Outcome
  readonly after: SessionModel
}

export function startSession(now: number, rules: RefreshRules): SessionModel {
  return {
    chain: [null],
    expiresAt: now + rules.idleMilliseconds,
    endsAt: now + rules.absoluteMilliseconds,
    ended: null,
  }
}

/** Null where the deed cannot have been: housekeeping with nothing to keep. */
export function judge(before: SessionModel, deed: Deed, now: number, rules: RefreshRules): Judgement | null {
  const end = (outcome: Outcome, ended: SessionModel['ended']): Judgement => ({ outcome, after: { ...before, ended } })
  const due = now >= Math.min(before.expiresAt, before.endsAt)
  if (deed.kind === 'housekeeping') return before.ended === null && due ? end('housekeeping', 'expired') : null
  if (deed.kind === 'logout') {
    return before.ended === null ? end('logged out', 'logout') : { outcome: 'nothing to log out', after: before }
  }
  if (before.ended !== null) return { outcome: before.ended === 'expired' ? 'expired' : 'ended', after: before }
  if (due) return end('found expired', 'expired')
  const spentAt = before.chain[deed.token]
  if (spentAt === undefined) throw new Error(`token ${deed.token} was never issued`)
  if (spentAt === null) {
    const chain = [...before.chain.slice(0, -1), now, null]
    return { outcome: 'rotated', after: { ...before, chain, expiresAt: now + rules.idleMilliseconds } }
  }
  if (now - spentAt > rules.graceMilliseconds) return end('reused', 'refresh-reused')
  const successorIsUnused = before.chain[deed.token + 1] === null
  return { outcome: successorIsUnused ? 'grace' : 'superseded', after: before }
}

/** A deed with what came of it. */
export interface ObservedDeed extends Deed {
  readonly outcome: Outcome
}

/**
 * What the session is after deeds that happened at one instant, in whichever order explains each outcome; null when no
 * order does.
 */
export function findSerialOrder(
  before: SessionModel,
  deeds: readonly ObservedDeed[],
  now: number,
  rules: RefreshRules,
): SessionModel | null {
  const hopeless = new Set<string>()
  const search = (model: SessionModel, left: readonly ObservedDeed[]): SessionModel | null => {
    if (left.length === 0) return model
    const key = `${left.map((deed) => deeds.indexOf(deed)).join(' ')}, ${model.chain.length} ${model.ended}`
    if (hopeless.has(key)) return null
    for (const deed of left) {
      const judgement = judge(model, deed, now, rules)
      if (judgement?.outcome !== deed.outcome) continue
      const found = search(
        judgement.after,
        left.filter((other) => other !== deed),
      )
      if (found !== null) return found
    }
    hopeless.add(key)
    return null
  }
  return search(before, deeds)
}
