import { compareSides } from '../lib/ratio.js'
import { express, helloWork, hono } from './apps.js'
import { getBar } from './express.js'

/** @type {import('./index.js').Case[]} */
export const nginxCases = [
  nginxCase('nginx-fetch', 'Hono text through nginx / proxy_pass', hono, 0.9),
  nginxCase('nginx-express', 'Express 5 res.send through nginx / proxy_pass', express, getBar),
]

function nginxCase(name, title, sides, bar) {
  const rows = [{ name: title, side: 'side', peer: 'peer', bar, rateBar: 1 }]
  return {
    name,
    peers: { nginx: 'nginx' },
    run: (setting) => compareSides({ work: { ...helloWork, nginx: true }, sides, rows }, setting),
  }
}
