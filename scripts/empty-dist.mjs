// What was compiled from a file that is gone would still be packed and could still be imported.
import { rmSync } from 'node:fs'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
