import { measureUptime } from '../lib/uptime.js'
import { core, express, helloWork, hono } from './apps.js'

const REQUESTS = 1_000_000

/** @type {import('./index.js').Case[]} */
export const uptimeCases = [
  uptimeCase('core', 'core', core),
  uptimeCase('fetch', 'Hono', hono),
  uptimeCase('express', 'Express 5', express),
]

function uptimeCase(name, title, { side }) {
  return {
    name: `uptime-${name}`,
    run: (setting) => measureUptime(title, side, helloWork, REQUESTS, setting),
  }
}
