import { readFileSync } from 'node:fs'

/** A file of test/proof/vectors/; its member `about` says where it is from. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8')) as T
}
