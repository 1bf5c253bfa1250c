// A run that is killed can clean nothing up: without this, an interrupted `npm test` leaves a database server running
// and its folder on the disk. The keeper stands apart from the run (own process group, so Ctrl-C does not reach it),
// starts the server as its child, and waits for the pipe from the run to close, which happens however the run ends.
// Then it stops that one child, removes the folder, and goes.
//
// node keeper.mjs FOLDER [JSON {command, args, uid?, gid?, env?, stopSignal, logFile}]
import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'

const [folder, json] = process.argv.slice(2)
const STOP_MS = 15_000

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

let child
let exited = Promise.resolve()
if (json) {
  const { command, args, uid, gid, env, logFile } = JSON.parse(json)
  const log = openSync(logFile, 'a')
  child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
    ...(uid === undefined ? {} : { uid, gid }),
  })
  closeSync(log)
  exited = new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(`exit ${code ?? signal}`))
    child.on('error', (error) => resolve(error.message))
  })
  // The run reads this line and knows that waiting for the server is in vain.
  exited.then((how) => process.stdout.write(`${how}\n`))
}
process.stdout.on('error', () => {})

process.stdin.resume()
await new Promise((resolve) => {
  process.stdin.on('end', resolve)
  process.stdin.on('error', resolve)
})

if (child && child.exitCode === null && child.signalCode === null) {
  child.kill(JSON.parse(json).stopSignal)
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await exited
  clearTimeout(late)
}
rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
process.exit(0)
