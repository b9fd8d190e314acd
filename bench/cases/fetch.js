import { compareSides } from '../lib/ratio.js'
import { jsonExpected, jsonRequest } from './json.js'

// By default, both replace the global Request and Response.
/** @type {Record<string, import('../lib/server.js').ServerSpec>} */
const sides = {
  on: { program: 'hono-fastcgi.js', variant: 'on', protocol: 'fastcgi' },
  off: { program: 'hono-fastcgi.js', variant: 'off', protocol: 'fastcgi' },
  httpOn: { program: 'hono-http.js', variant: 'on', protocol: 'http' },
  httpOff: { program: 'hono-http.js', variant: 'off', protocol: 'http' },
}

/** @type {import('./index.js').Case[]} */
export const fetchCases = [
  fetchCase('fetch-text', 'text', { request: { path: '/' }, expected: { body: 'Hello, world!' } }, 0.7),
  fetchCase('fetch-post', 'POST 1 KiB JSON', { request: jsonRequest, expected: jsonExpected }, 0.65),
]

function fetchCase(name, what, work, bar) {
  const rows = [
    { name: `Hono ${what} / @hono/node-server`, side: 'on', peer: 'httpOn', bar },
    {
      name: `Hono ${what}, overrideGlobalObjects: false / the same`,
      side: 'off',
      peer: 'httpOff',
      bar: 1,
    },
  ]
  return {
    name,
    quick: true,
    everyNode: true,
    run: (setting) => compareSides({ work, sides, rows }, setting),
  }
}
