import type { Settings } from '../../options.ts'
import type { Anchor } from '../anchor.ts'
import type { AnchorSpec } from '../anchor-setting.ts'
import { createCommandAnchor } from './command.ts'
import { createFileAnchor } from './file.ts'
import { createHttpPutAnchor } from './http-put.ts'
import { createWitnessAnchor } from './witness.ts'

/** The anchors of the setting, in its order. Nothing is opened or connected to yet. */
export function createAnchors({ anchors }: Pick<Settings, 'anchors'>): readonly Anchor[] {
  return anchors.map((anchor) => ('put' in anchor ? anchor : createAnchor(anchor)))
}

function createAnchor(spec: AnchorSpec): Anchor {
  switch (spec.kind) {
    case 'file':
      return createFileAnchor(spec)
    case 'command':
      return createCommandAnchor(spec)
    case 'http-put':
      return createHttpPutAnchor(spec)
    case 'witness':
      return createWitnessAnchor(spec)
  }
}
