import { measureStartup } from '../lib/startup.js'
import { core, express, hono } from './apps.js'

/** @type {import('./index.js').Case[]} */
export const startupCases = [
  startupCase('core', 'core / node:http', core),
  startupCase('fetch', 'Hono / @hono/node-server', hono),
  startupCase('express', 'Express 5 / node:http', express),
]

function startupCase(name, title, pair) {
  return { name: `startup-${name}`, run: (setting) => measureStartup(title, pair, setting) }
}
