import { readFileSync } from 'node:fs'
import { GatebookError } from '../../errors.ts'

export interface Brand {
  readonly name: string
  /** `#rrggbb`. */
  readonly color: string
  readonly logo: { readonly type: string; readonly ending: string; readonly bytes: Uint8Array } | null
}

const LOGO_TYPES: Readonly<Record<string, string>> = {
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  webp: 'image/webp',
}
const LOGO_MAX_BYTES = 262_144

/** Throws ERR_OPTION_INVALID in the terms of the setting `name`. */
export function readLogo(path: string | null, name: string): Brand['logo'] {
  if (path === null) return null
  const ending = (/\.(\w+)$/.exec(path)?.[1] ?? '').toLowerCase().replace('jpeg', 'jpg')
  const type = Object.hasOwn(LOGO_TYPES, ending) ? LOGO_TYPES[ending] : undefined
  const refuse = (why: string, cause?: unknown): GatebookError =>
    new GatebookError('ERR_OPTION_INVALID', { detail: `${name}: ${JSON.stringify(path)} ${why}`, cause })
  if (type === undefined) throw refuse(`must be one of ${Object.keys(LOGO_TYPES).join(', ')}.`)
  let bytes: Uint8Array
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw refuse(`cannot be read (${(error as NodeJS.ErrnoException).code}).`, error)
  }
  if (bytes.length > LOGO_MAX_BYTES) throw refuse(`must not have more than ${LOGO_MAX_BYTES} bytes.`)
  return { type, ending, bytes }
}

/** Of `style.css`: links stand on these, and buttons of the first have white text. */
const LIGHT_GROUND = '#f5f6f8'
const DARK_GROUND = '#1b2029'

/** The shades of the colour that can be read there and in white text (WCAG 2.2, 1.4.3). */
export function brandStyle(color: string): string {
  const onLight = untilContrast(color, LIGHT_GROUND, -1)
  return `:root{--brand:${onLight};--on-brand:#ffffff;--brand-on-dark:${untilContrast(color, DARK_GROUND, 1)}}\n`
}

/** Goes towards black or white until it can be read on the ground. */
function untilContrast(color: string, ground: string, direction: -1 | 1): string {
  let shade = color
  for (let step = 0; step < 40 && contrast(shade, ground) < 4.5; step++) {
    shade = format(channels(shade).map((value) => value + direction * Math.max(6, value * 0.06)))
  }
  return shade
}

function channels(color: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16))
}

function format(values: readonly number[]): string {
  const hex = (value: number) =>
    Math.round(Math.min(255, Math.max(0, value)))
      .toString(16)
      .padStart(2, '0')
  return `#${values.map(hex).join('')}`
}

/** WCAG 2.2, "contrast ratio". */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function luminance(color: string): number {
  const [red, green, blue] = channels(color).map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
