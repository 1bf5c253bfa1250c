import { en, type Messages } from './en.ts'
import { ko } from './ko.ts'
import type { Vocabulary } from './vocabulary.ts'
import { vocabularyEn } from './vocabulary-en.ts'
import { vocabularyKo } from './vocabulary-ko.ts'

export interface LanguageRow {
  readonly text: Messages
  readonly words: Vocabulary
}

/** The closed table of languages. */
export const LANGUAGES: Readonly<Record<LanguageName, LanguageRow>> = {
  en: { text: en, words: vocabularyEn },
  ko: { text: ko, words: vocabularyKo },
}

export type LanguageName = 'en' | 'ko'

/** What was chosen here before, or the first language of the browser that there is. */
export function preferredLanguage(kept: string | null, wanted: readonly string[]): LanguageName {
  const names = Object.keys(LANGUAGES) as LanguageName[]
  const of = (tag: string | null): LanguageName | undefined =>
    names.find((name) => tag?.toLowerCase().split('-')[0] === name)
  return of(kept) ?? wanted.map(of).find((name) => name !== undefined) ?? 'en'
}
