import { describe, expect, test } from 'vitest'
import {
  chooseLanguage,
  formatLife,
  MAIL_TEXTS,
  type MailKind,
  type MailLanguage,
} from '../../src/server/mail-texts.ts'

describe('the language of a mail', () => {
  test.each([
    [null, 'en'],
    ['', 'en'],
    ['ko', 'ko'],
    ['ko-KR,ko;q=0.9,en;q=0.8', 'ko'],
    ['en;q=0.5, ko;q=0.9', 'ko'],
    ['fr-FR, ko;q=0', 'en'],
    ['fr, de', 'en'],
    ['*', 'en'],
    ['KO-kr', 'ko'],
    ['constructor, __proto__', 'en'],
  ])('%j is answered in %s', (accepted, language) => {
    expect(chooseLanguage(accepted, 'en')).toBe(language)
  })

  test('is the one of the settings where the browser asks for neither', () => {
    expect(chooseLanguage('fr', 'ko')).toBe('ko')
  })
})

test.each([
  ['en', 1800, '30 minutes'],
  ['en', 60, '1 minute'],
  ['en', 5400, '90 minutes'],
  ['en', 86_400, '1 day'],
  ['ko', 1800, '30분'],
  ['ko', 7 * 86_400, '7일'],
  ['ko', 3600, '1시간'],
] as const)('in %s, %d s are %s', (language, seconds, text) => {
  expect(formatLife(language, seconds)).toBe(text)
})

describe.each(Object.keys(MAIL_TEXTS) as MailLanguage[])('texts in %s', (language) => {
  test.each(Object.keys(MAIL_TEXTS.en) as MailKind[])(
    '%s names the application, and the key on a line of its own',
    (kind) => {
      const facts = { name: 'Example', key: 'KEY', isLink: false, life: '30 minutes' }
      const { subject, lines } = MAIL_TEXTS[language][kind]
      expect(subject(facts)).toContain('Example')
      expect(lines(facts).filter((line) => line === '    KEY')).toHaveLength(kind === 'taken' ? 0 : 1)
      // What a mail program would fold.
      for (const line of lines(facts)) expect(Buffer.byteLength(line)).toBeLessThan(400)
    },
  )
})
