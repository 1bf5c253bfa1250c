import { type ComponentChildren, createContext, type JSX } from 'preact'
import { useContext, useEffect, useMemo, useState } from 'preact/hooks'
import { createFormat, type Format } from './format.ts'
import { LANGUAGES, type LanguageName, type LanguageRow, preferredLanguage } from './languages.ts'

export interface Language extends LanguageRow {
  readonly name: LanguageName
  readonly format: Format
  choose(name: LanguageName): void
}

const KEPT_AS = 'gatebook-language'
const Context = createContext<Language | null>(null)

/** The tag of the browser that belongs to the language, which also says how its region writes dates. */
function localeOf(name: LanguageName): string {
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === name) ?? name
}

export function LanguageProvider({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const [name, setName] = useState(() => preferredLanguage(readKept(), navigator.languages))
  useEffect(() => {
    document.documentElement.lang = name
  }, [name])
  const language = useMemo<Language>(() => {
    const row = LANGUAGES[name]
    const choose = (next: LanguageName): void => {
      keep(next)
      setName(next)
    }
    return { ...row, name, format: createFormat(localeOf(name), row.text), choose }
  }, [name])
  return <Context.Provider value={language}>{children}</Context.Provider>
}

export function useLanguage(): Language {
  const language = useContext(Context)
  if (language === null) throw new Error('outside of LanguageProvider')
  return language
}

function readKept(): string | null {
  try {
    return localStorage.getItem(KEPT_AS)
  } catch {
    // Storage that is switched off.
    return null
  }
}

function keep(name: LanguageName): void {
  try {
    localStorage.setItem(KEPT_AS, name)
  } catch {
    // It holds until the page is left.
  }
}
