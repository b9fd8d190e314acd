import { measureLatency } from '../lib/latency.js'
import { core, express, helloWork, hono } from './apps.js'

/** @type {import('./index.js').Case[]} */
export const latencyCases = [
  latencyCase('core', 'core / node:http', core),
  latencyCase('fetch', 'Hono text / @hono/node-server', hono),
  latencyCase('express', 'Express 5 res.send / node:http', express),
]

function latencyCase(name, title, pair) {
  return { name: `latency-${name}`, run: (setting) => measureLatency(title, pair, helloWork, setting) }
}
