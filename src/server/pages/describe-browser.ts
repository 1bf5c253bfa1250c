import Bowser from 'bowser'
import type { PageTexts } from './texts.ts'

/** Longer ones are no browser's, and the expressions that look at them are not ours. */
const LOOKED_AT = 512
/** `curl/8.5.0`, `okhttp/4.12.0`: the first product (RFC 9110 §10.1.5). */
const PRODUCT = /^([A-Za-z][\w.-]{0,40})\/\d/

/** `Chrome on Windows`. */
export function describeBrowser(
  userAgent: string | null,
  texts: Pick<PageTexts, 'unknownBrowser' | 'browserOn'>,
): string {
  if (userAgent === null || userAgent === '') return texts.unknownBrowser
  const looked = userAgent.slice(0, LOOKED_AT)
  const parsed = Bowser.parse(looked)
  const { name: browser } = parsed.browser
  const { name: system } = parsed.os
  if (browser !== undefined && browser !== '' && system !== undefined) return texts.browserOn(browser, system)
  const product = PRODUCT.exec(looked)?.[1]
  return product === undefined || product === 'Mozilla' ? browser || texts.unknownBrowser : product
}
