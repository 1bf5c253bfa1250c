// For `--import`: `….ts?with-log` and `….ts?without-log` are then two copies of a module, and for the second one rows of events, and
// nothing else, are the log.
import { register } from 'node:module'

register('./hooks.mjs', import.meta.url)
