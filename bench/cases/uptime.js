import { measureUptime } from '../lib/uptime.js'
import { bare, express, helloWork, hono } from './apps.js'

const REQUESTS = 1_000_000

/** @type {import('./index.js').Case[]} */
export const uptimeCases = [
  uptimeCase('core', 'core', bare),
  uptimeCase('fetch', 'Hono', hono),
  uptimeCase('express', 'Express 5', express),
]

function uptimeCase(name, title, { side }) {
  return {
    name: `uptime-${name}`,
    run: (setting) => measureUptime(title, side, helloWork, REQUESTS, setting),
  }
}
