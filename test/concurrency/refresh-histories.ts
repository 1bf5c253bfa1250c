import fc from 'fast-check'

/** Two tabs of the owner, and somebody who copied a token at some instant. */
export const ACTORS = ['first tab', 'second tab', 'thief'] as const
export type Actor = (typeof ACTORS)[number]

export interface Call {
  readonly kind: 'refresh' | 'logout'
  readonly actor: Actor
  /** So many tokens before the one that the actor holds. */
  readonly behind: number
  /** Which of the two processes is asked. */
  readonly process: 0 | 1
  /** The answer does not arrive, so that the actor keeps the token. */
  readonly lost: boolean
}

/** What happens to the answers of a process on their way. */
export type Break =
  /** The process is killed when the first bytes of so many answers have arrived at the network. */
  | { readonly how: 'killed'; readonly answers: number }
  /** The process is killed so long after it was asked, whatever it is at. */
  | { readonly how: 'killed early'; readonly milliseconds: number }
  /** The process has answered all, and lives. */
  | { readonly how: 'cut' }

export type Step =
  /** At the same moment. */
  | { readonly kind: 'calls'; readonly calls: readonly Call[]; readonly broken?: Break }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  /** Until just before, or just after, the last spent token has had its grace, or the session its idle time. */
  | { readonly kind: 'wait-until'; readonly end: 'grace' | 'idle'; readonly over: boolean }
  /** Both tabs take the token of one of them. */
  | { readonly kind: 'share'; readonly from: Actor }
  | { readonly kind: 'steal'; readonly from: Actor }

export interface History {
  /** The tabs have one place for the newest token, and each finds what the other one got. */
  readonly shared: boolean
  readonly steps: readonly Step[]
  /** In which order every token is tried at the end. */
  readonly trial: 'harmless first' | 'oldest first' | 'newest first'
}

const weighted = <T>(...choices: readonly (readonly [number, T])[]): fc.Arbitrary<T> =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })))

const tab = weighted<Actor>([2, 'first tab'], [1, 'second tab'])

const call: fc.Arbitrary<Call> = fc.record({
  kind: weighted<Call['kind']>([150, 'refresh'], [1, 'logout']),
  actor: weighted<Actor>([8, 'first tab'], [6, 'second tab'], [1, 'thief']),
  behind: weighted([60, 0], [3, 1], [1, 2], [1, 3]),
  process: fc.constantFrom(0, 1),
  lost: weighted([5, false], [1, true]),
})

const calls = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(call) },
  { weight: 1, arbitrary: fc.array(call, { minLength: 2, maxLength: 8, size: 'max' }) },
)

const quietly = [
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('share' as const), from: tab }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('steal' as const), from: tab }) },
]

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant('calls' as const), calls }) },
  { weight: 9, arbitrary: wait(3000) },
  { weight: 4, arbitrary: wait(40_000) },
  { weight: 5, arbitrary: waitUntil('grace', false) },
  { weight: 2, arbitrary: waitUntil('grace', true) },
  { weight: 3, arbitrary: waitUntil('idle', false) },
  { weight: 1, arbitrary: waitUntil('idle', true) },
  ...quietly,
)

function wait(max: number): fc.Arbitrary<Step> {
  return fc.record({ kind: fc.constant('wait' as const), milliseconds: fc.nat({ max }) })
}

function waitUntil(end: 'grace' | 'idle', over: boolean): fc.Arbitrary<Step> {
  return fc.constant({ kind: 'wait-until', end, over })
}

const shared = weighted([2, true], [1, false])
const trial = fc.constantFrom<History['trial'][]>('harmless first', 'oldest first', 'newest first')

/** For gates whose clock stands still until it is moved. */
export const histories: fc.Arbitrary<History> = fc.record({
  shared,
  steps: fc.array(step, { minLength: 4, maxLength: 28, size: 'max' }),
  trial,
})

const broken: fc.Arbitrary<Break> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ how: fc.constant('killed' as const), answers: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ how: fc.constant('killed early' as const), milliseconds: fc.nat({ max: 30 }) }) },
  { weight: 1, arbitrary: fc.constant<Break>({ how: 'cut' }) },
)

/** At least the first of the calls goes to the process whose answers do not come through. */
const brokenCalls: fc.Arbitrary<Step> = fc.record({ calls, broken }).map(({ calls: [first, ...others], broken }) => ({
  kind: 'calls',
  calls: [{ ...first!, process: 0 }, ...others],
  broken,
}))

/** For a server process with the clock of the machine: whole periods pass, or none. */
export const brokenHistories: fc.Arbitrary<History> = fc.record({
  shared,
  steps: fc.array(
    fc.oneof(
      { weight: 14, arbitrary: fc.record({ kind: fc.constant('calls' as const), calls }) },
      { weight: 14, arbitrary: brokenCalls },
      { weight: 1, arbitrary: waitUntil('grace', true) },
      ...quietly,
    ),
    { minLength: 5, maxLength: 9, size: 'max' },
  ),
  trial,
})
