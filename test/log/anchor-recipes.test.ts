import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createCommandAnchor } from '../../src/log/anchors/command.ts'
import { createMemoryLog } from './memory-log.ts'

const DOCUMENT = readFileSync(new URL('../../docs/anchors.md', import.meta.url), 'utf8')
const never = new AbortController().signal

/** The script behind these words, with its folder or file in another place. */
function recipe(words: string, path: string, instead: string): { program: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-recipe-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const script = DOCUMENT.slice(DOCUMENT.indexOf(words)).match(/```sh\n(#!.*?)```/s)?.[1]
  expect(script).toContain(path)
  const program = join(folder, 'recipe')
  writeFileSync(program, script!.replace(path, join(folder, instead)))
  chmodSync(program, 0o700)
  return { program, folder }
}

test('the recipe for git keeps each checkpoint in the remote, and takes one twice', async () => {
  const { program, folder } = recipe('**git.**', '/var/lib/gatebook/checkpoints', 'clone')
  const remote = join(folder, 'remote')
  const clone = join(folder, 'clone')
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' })
  git('init', '--quiet', '--bare', '--initial-branch=main', remote)
  for (const setting of ['receive.denyNonFastForwards', 'receive.denyDeletes'])
    git('-C', remote, 'config', setting, 'true')
  git('clone', '--quiet', remote, clone)
  git('-C', clone, 'config', 'user.name', 'gatebook')
  git('-C', clone, 'config', 'user.email', 'gatebook@app.example')
  git('-C', clone, 'config', 'push.default', 'current')

  const anchor = createCommandAnchor({ name: 'git', program, args: ['{size}'] })
  const log = createMemoryLog()
  const notes: string[] = []
  for (const more of [3, 4]) {
    log.append(more)
    const published = await log.checkpoint()
    notes.push(published.note)
    await anchor.put(published, never)
    await anchor.put(published, never)
  }
  expect(git('-C', remote, 'log', '--format=%s', 'main')).toBe('checkpoint 7\ncheckpoint 3\n')
  expect([git('-C', remote, 'show', 'main~1:checkpoint'), git('-C', remote, 'show', 'main:checkpoint')]).toEqual(notes)

  // What a remote has, nobody takes back: the next checkpoint of another history stands behind it.
  git('-C', clone, 'commit', '--quiet', '--amend', '--message', 'another history')
  log.append(1)
  await expect(anchor.put(await log.checkpoint(), never)).rejects.toThrow()
  expect(git('-C', remote, 'show', 'main:checkpoint')).toBe(notes[1])
})
