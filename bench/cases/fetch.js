import { compareSides } from '../lib/ratio.js'
import { jsonExpected, jsonRequest } from './json.js'

// With and without replacing the global Request and Response. The peer replaces them by default.
/** @type {Record<string, import('../lib/server.js').ServerSpec>} */
const sides = {
  on: { program: 'hono-fastcgi.js', variant: 'on', protocol: 'fastcgi' },
  off: { program: 'hono-fastcgi.js', variant: 'off', protocol: 'fastcgi' },
  httpOn: { program: 'hono-http.js', variant: 'on', protocol: 'http' },
  httpOff: { program: 'hono-http.js', variant: 'off', protocol: 'http' },
}

/** @type {import('./index.js').Case[]} */
export const fetchCases = [
  fetchCase('fetch-text', 'text', { request: { path: '/' }, expected: { body: 'Hello, world!' } }, 0.9),
  fetchCase('fetch-post', 'POST 1 KiB JSON', { request: jsonRequest, expected: jsonExpected }, 0.6),
]

function fetchCase(name, what, work, bar) {
  const rows = [
    { name: `Hono ${what}, globals replaced / @hono/node-server`, side: 'on', peer: 'httpOn', bar },
    { name: `Hono ${what} / @hono/node-server`, side: 'off', peer: 'httpOn', bar },
    { name: `Hono ${what} / @hono/node-server, globals not replaced`, side: 'off', peer: 'httpOff' },
  ]
  return {
    name,
    quick: true,
    everyNode: true,
    run: (setting) => compareSides({ work, sides, rows }, setting),
  }
}
