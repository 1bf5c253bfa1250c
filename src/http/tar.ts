/** POSIX.1-2017 pax §"ustar Interchange Format". */
const BLOCK = 512
const NAME_BYTES = 100

/** A file of an archive: its header, what is in it, and zeros up to a whole block. `name` is ASCII, of at most 100 characters. */
export function formatTarFile(name: string, bytes: Uint8Array, modifiedAt: number): Uint8Array {
  if (name.length > NAME_BYTES || !/^[\x21-\x7e]+$/.test(name)) throw new TypeError(`no name for an archive: ${name}`)
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0, 'latin1')
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  octal(0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(bytes.length, 124, 12)
  octal(Math.floor(modifiedAt / 1000), 136, 12)
  // While the sum is made, its own place holds spaces.
  header.write('        ', 148, 'latin1')
  header.write('0', 156, 'latin1')
  header.write('ustar\0' + '00', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return Buffer.concat([header, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)])
}

/** Two empty blocks. */
export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK)
