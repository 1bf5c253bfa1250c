import type { JSX } from 'preact'

/**
 * What nobody sees, or what turns the rest of a line round: controls, bidirectional marks, zero widths, tags. A text from
 * outside that has one is shown with its name in the place of it.
 */
const UNSEEN = /\p{Cc}|\p{Default_Ignorable_Code_Point}|[\u2028\u2029\ufff9-\ufffb]/gu

export function showUnseen(text: string): string {
  return text.replace(
    UNSEEN,
    (character) => `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`,
  )
}

interface ForeignProps {
  readonly text: string
  /** Characters after which the rest is left to the title. */
  readonly most?: number
  readonly mono?: boolean
}

/** A text that somebody outside has chosen: always as text, apart in its direction, and never longer than its place. */
export function Foreign({ text, most = 400, mono = false }: ForeignProps): JSX.Element {
  const shown = showUnseen(text)
  const characters = [...shown]
  const cut = characters.length > most
  return (
    <bdi class={mono ? 'foreign mono' : 'foreign'} title={cut ? characters.slice(0, 2000).join('') : undefined}>
      {cut ? `${characters.slice(0, most).join('')}…` : shown}
    </bdi>
  )
}
