#!/usr/bin/env node
// The size of libuv's thread pool is read once, at its first use, and node's loader of ES modules is such a use on
// Node 20: by the time that `main.js` runs it is too late. So the size is set here, in a CommonJS file, which is loaded
// without the pool. Passwords are hashed in the pool; the default of 4 threads would leave the file system and the
// look-up of host names without one as soon as four passwords are being checked.
if (process.argv[2] === 'serve' && process.env.UV_THREADPOOL_SIZE === undefined) {
  const cores = process.getBuiltinModule('node:os').availableParallelism()
  process.env.UV_THREADPOOL_SIZE = String(Math.max(4, cores + 3))
}

import('./main.ts')
