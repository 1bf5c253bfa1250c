import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** It shall look up nothing and ask nobody, besides what the test asks it to. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** The browser of this machine, or of `GATEBOOK_TEST_CHROMIUM`; null where there is none. */
export function findChromium(): string | null {
  const named = process.env.GATEBOOK_TEST_CHROMIUM
  if (named !== undefined && named !== '') return named
  return PLACES.find((place) => existsSync(place)) ?? null
}

export const WITHOUT_CHROMIUM = 'There is no Chromium here: install it, or name it in GATEBOOK_TEST_CHROMIUM.'

export function startChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ARGUMENTS })
}
