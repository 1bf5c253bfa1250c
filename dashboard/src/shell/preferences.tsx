import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { LANGUAGES, type LanguageName } from '../i18n/languages.ts'
import { chooseTheme, readTheme, THEMES, type Theme } from '../theme.ts'

/** Language and appearance, kept in this browser. */
export function Preferences(): JSX.Element {
  const { text, name, choose } = useLanguage()
  const [theme, setTheme] = useState(readTheme)
  return (
    <div class="preferences">
      <label>
        <span class="unseen">{text.app.language}</span>
        <select class="select" value={name} onChange={(event) => choose(event.currentTarget.value as LanguageName)}>
          {Object.entries(LANGUAGES).map(([each, row]) => (
            <option key={each} value={each} lang={each}>
              {row.text.languageName}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="unseen">{text.app.theme}</span>
        <select
          class="select"
          value={theme}
          onChange={(event) => {
            const chosen = event.currentTarget.value as Theme
            chooseTheme(chosen)
            setTheme(chosen)
          }}
        >
          {THEMES.map((each) => (
            <option key={each} value={each}>
              {text.app.themes[each]}
            </option>
          ))}
        </select>
      </label>
    </div>
  )
}
