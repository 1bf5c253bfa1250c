import { PassThrough, Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { promptPassword, readPasswordFrom } from '../../src/cli/password-prompt.ts'

/** A terminal: what is typed, what is shown, and whether it would echo. */
function createTerminal(): {
  input: NodeJS.ReadStream
  output: NodeJS.WriteStream
  shown: () => string
  raw: boolean[]
} {
  const raw: boolean[] = []
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => void raw.push(on) })
  const output = Object.assign(new PassThrough(), { isTTY: true })
  let shown = ''
  output.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  return {
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    shown: () => shown,
    raw,
  }
}

async function type(...chunks: string[]): Promise<{ password: string; shown: string; raw: boolean[] }> {
  const { input, output, shown, raw } = createTerminal()
  const asked = promptPassword(input, output)
  for (const chunk of chunks) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    input.push(chunk)
  }
  return asked.then((password) => ({ password, shown: shown(), raw }))
}

test('is asked for twice and never shown', async () => {
  const { password, shown, raw } = await type('gehe', 'im ß漢\r', 'geheim ß漢\r')
  expect(password).toBe('geheim ß漢')
  expect(shown).toBe('Password: \nOnce more: \n')
  expect(raw).toEqual([true, false, true, false])
})

test('can be corrected while it is typed', async () => {
  expect((await type('geheimX\u007f\n', 'wrong\u0015geheim\n')).password).toBe('geheim')
})

test('can be pasted with the line break, both lines at once', async () => {
  expect((await type('geheim\rgeheim\r')).password).toBe('geheim')
})

test('is refused when the two differ, when it is broken off, and when nobody sits there', async () => {
  const refused = (detail: RegExp): object =>
    expect.objectContaining({ code: 'ERR_USAGE', detail: expect.stringMatching(detail) })
  await expect(type('one\r', 'two\r')).rejects.toEqual(refused(/differ/))
  await expect(type('one\u0003')).rejects.toEqual(refused(/No password was given/))
  await expect(type('\u0004')).rejects.toEqual(refused(/No password was given/))
  const { input, output } = createTerminal()
  input.isTTY = false as true
  await expect(promptPassword(input, output)).rejects.toEqual(refused(/--password-stdin/))
})

test.each([
  [['geheim\n'], 'geheim'],
  [['gehe', 'im'], 'geheim'],
  [[' with blanks \r\n'], ' with blanks '],
])('from the standard input: %j', async (chunks, password) => {
  expect(await readPasswordFrom(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))).toBe(password)
})

test.each([[''], ['\n'], ['two\nlines\n'], ['x'.repeat(70_000)]])('the standard input is no password', async (text) => {
  await expect(readPasswordFrom(Readable.from([Buffer.from(text)]))).rejects.toMatchObject({ code: 'ERR_USAGE' })
})
