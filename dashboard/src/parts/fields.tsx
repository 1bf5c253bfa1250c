import type { ComponentChildren, JSX } from 'preact'

export interface Field {
  readonly name: string
  readonly value: ComponentChildren
}

/** Names and values; those whose value is null are left out. */
export function Fields({ items }: { readonly items: readonly (Field | null)[] }): JSX.Element {
  return (
    <dl class="fields">
      {items.map((item) =>
        item === null ? null : (
          <div key={item.name}>
            <dt>{item.name}</dt>
            <dd>{item.value}</dd>
          </div>
        ),
      )}
    </dl>
  )
}
