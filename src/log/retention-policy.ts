import { EVENT_VOLUMES, type EventVolume, findEventType } from '../event/catalogue.ts'
import type { EventData } from '../event/event.ts'
import { isLasting } from '../event/lasting.ts'
import type { RetentionOption, Settings } from '../options.ts'
import type { RowSeal, RowValues } from '../secret/row-seal.ts'
import { putMeta } from '../store/put-meta.ts'
import type { Store } from '../store/store.ts'

/** Days; 0 is for ever. */
export type RetentionPolicy = Readonly<Record<RetentionOption, number>>

const PERIODS: readonly RetentionOption[] = [
  'networkDays',
  'adminNetworkDays',
  'highVolumeDays',
  'mediumVolumeDays',
  'lowVolumeDays',
  'adminEventDays',
]

/** Whose acts: those of admins, operators and the system, or everybody else's. By the kind of actor, which stays known. */
export type ActorClass = 'users' | 'admins'

/** What goes at which age. What a rule covers follows from the leaf of an event alone, so that an audit can say it too. */
export interface RetentionRule {
  /** `net actors`, `event actors volume` or `session`: its name in the database. */
  readonly name: string
  readonly class: 'net' | 'event' | 'session'
  readonly actors: ActorClass
  /** Of whole events. */
  readonly volume: EventVolume | null
  /** 0: for ever. */
  readonly days: number
}

export function actorClassOf(actorKind: string): ActorClass {
  return actorKind === 'admin' || actorKind === 'system' ? 'admins' : 'users'
}

/** Whether a rule covers such an event, at whatever age. A type that is not known stays. */
export function covers(
  rule: RetentionRule,
  event: { readonly type: string; readonly actorKind: string; readonly data: EventData | null },
): boolean {
  if (actorClassOf(event.actorKind) !== rule.actors) return false
  if (rule.class !== 'event') return rule.class === 'net'
  const type = findEventType(event.type)
  return type !== null && !isLasting(event.type, event.data) && type.volume === rule.volume
}

export function listRules(policy: RetentionPolicy): readonly RetentionRule[] {
  const volumes: Readonly<Record<EventVolume, number>> = {
    high: policy.highVolumeDays,
    medium: policy.mediumVolumeDays,
    low: policy.lowVolumeDays,
  }
  const net = (actors: ActorClass, days: number): RetentionRule => ({
    name: `net ${actors}`,
    class: 'net',
    actors,
    volume: null,
    days,
  })
  const event = (actors: ActorClass, volume: EventVolume, days: number): RetentionRule => ({
    name: `event ${actors} ${volume}`,
    class: 'event',
    actors,
    volume,
    days,
  })
  return [
    net('users', policy.networkDays),
    net('admins', policy.adminNetworkDays),
    ...EVENT_VOLUMES.map((volume) => event('users', volume, volumes[volume])),
    ...EVENT_VOLUMES.map((volume) => event('admins', volume, longer(volumes[volume], policy.adminEventDays))),
    { name: 'session', class: 'session', actors: 'users', volume: null, days: policy.networkDays },
  ]
}

const DAY_MILLISECONDS = 86_400_000

/** The beginning of a day in UTC, so that there is one boundary a day: what is older has been kept its days in full. */
export function boundaryOf({ days }: Pick<RetentionRule, 'days'>, now: number): number {
  if (days === 0) return 0
  return Math.max(0, Math.floor(now / DAY_MILLISECONDS - days) * DAY_MILLISECONDS)
}

function longer(days: number, least: number): number {
  return days === 0 || least === 0 ? 0 : Math.max(days, least)
}

const NAME = 'retention'

type NotingParts = { readonly store: Store; readonly settings: Settings; readonly seal: RowSeal }

/** The periods of the application or the server, for the programs beside it. */
export async function notePolicy({ store, settings, seal }: NotingParts): Promise<void> {
  const policy = policyOf(settings)
  const value = JSON.stringify({ ...policy, mac: seal.make('retention', valuesOf(policy)).toString('base64url') })
  const known = await readNoted(store)
  if (known === value) return
  await store.transaction((tx) => putMeta(tx, NAME, value))
}

/**
 * The periods that are in force. A program beside the server goes by what the server has noted: with settings of its own,
 * whoever may run it could have things forgotten that are to be kept. So could whoever can write to the database, if what is
 * noted there had no MAC: of that, everything is kept.
 */
export async function readPolicy({ store, settings, seal }: NotingParts): Promise<RetentionPolicy> {
  if (!settings.attach) return policyOf(settings)
  const text = await readNoted(store)
  if (text === undefined) return policyOf(settings)
  const { mac, ...noted } = parseNoted(text)
  // What an older server has not noted is kept.
  const policy = Object.fromEntries(PERIODS.map((name) => [name, noted[name] ?? 0])) as RetentionPolicy
  const isGenuine =
    typeof mac === 'string' && seal.isGenuine('retention', valuesOf(policy), Buffer.from(mac, 'base64url'))
  if (isGenuine) return policy
  settings.diagnostics.error(
    {},
    'The periods that the database says a server has noted are not ones that a server has. Nothing is forgotten by them; starting the server again notes its own.',
  )
  return Object.fromEntries(PERIODS.map((name) => [name, 0])) as RetentionPolicy
}

async function readNoted(store: Store): Promise<string | undefined> {
  const row = await store.read((db) =>
    db.selectFrom('gatebook_meta').select('value').where('name', '=', NAME).executeTakeFirst(),
  )
  return row?.value
}

function parseNoted(text: string): Partial<RetentionPolicy> & { readonly mac?: unknown } {
  try {
    return (JSON.parse(text) as Partial<RetentionPolicy> | null) ?? {}
  } catch {
    return {}
  }
}

function valuesOf(policy: RetentionPolicy): RowValues {
  return PERIODS.map((name) => policy[name])
}

function policyOf(settings: Settings): RetentionPolicy {
  return Object.fromEntries(PERIODS.map((name) => [name, settings[name]])) as RetentionPolicy
}
