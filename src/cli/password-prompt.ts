import { GatebookError } from '../errors.ts'

const LIMIT = 65_536

/** From `--password-stdin`: everything up to the end, without one line break at the end. */
export async function readPasswordFrom(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk as Uint8Array)
    size += bytes.length
    if (size > LIMIT) throw usage('The standard input is too long for a password.')
    chunks.push(bytes)
  }
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text === '') throw usage('The standard input holds no password.')
  if (/[\r\n]/.test(text)) throw usage('The standard input holds more than one line; a password is one line.')
  return text
}

/** Asks twice at the terminal, without echo. Throws ERR_USAGE when there is no terminal or the two differ. */
export async function promptPassword(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<string> {
  if (input.isTTY !== true || output.isTTY !== true) {
    throw usage('There is no terminal to ask for a password at; give it with --password-stdin.')
  }
  const first = await promptHidden('Password: ', input, output)
  const second = await promptHidden('Once more: ', input, output)
  if (first !== second) throw usage('The two passwords differ. Nothing was changed.')
  return first
}

/** One line in raw mode: the terminal shows nothing, so backspace and Ctrl-C are ours to handle. */
function promptHidden(question: string, input: NodeJS.ReadStream, output: NodeJS.WriteStream): Promise<string> {
  output.write(question)
  input.setRawMode(true)
  input.setEncoding('utf8')
  input.resume()
  return new Promise((resolve, reject) => {
    let typed: string[] = []
    const finish = (rest: string): void => {
      input.off('data', read)
      input.setRawMode(false)
      input.pause()
      output.write('\n')
      // What was pasted behind the line belongs to the next question.
      if (rest !== '') input.unshift(rest)
    }
    const read = (chunk: string): void => {
      const characters = [...chunk]
      for (const [at, character] of characters.entries()) {
        if (character === '\r' || character === '\n') {
          finish(characters.slice(at + 1).join(''))
          resolve(typed.join(''))
          return
        }
        if (character === '\u0003' || (character === '\u0004' && typed.length === 0)) {
          finish('')
          reject(usage('No password was given. Nothing was changed.'))
          return
        }
        if (character === '\u007f' || character === '\b') typed.pop()
        else if (character === '\u0015') typed = []
        else if (character >= ' ') typed.push(character)
      }
    }
    input.on('data', read)
  })
}

function usage(detail: string): GatebookError {
  return new GatebookError('ERR_USAGE', { detail })
}
