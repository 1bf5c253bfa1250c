// For `--import`: whatever asks for the log in this process gets the one that writes rows of events and nothing else.
import { register } from 'node:module'

register('./hooks.mjs', import.meta.url)
