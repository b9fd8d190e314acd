import { jsonExpected, jsonRequest } from './json.js'

const sides = {
  on: { program: 'hono-fastcgi.js', variant: 'on', protocol: 'fastcgi' },
  off: { program: 'hono-fastcgi.js', variant: 'off', protocol: 'fastcgi' },
  httpOn: { program: 'hono-http.js', variant: 'on', protocol: 'http' },
  httpOff: { program: 'hono-http.js', variant: 'off', protocol: 'http' },
}

/**
 * With the globals replaced and without; the peer replaces them unless told not to.
 * @param {string} what
 * @param {number} bar
 */
function rows(what, bar) {
  return [
    { name: `fetch, Hono ${what}, globals replaced / @hono/node-server`, side: 'on', peer: 'httpOn', bar },
    { name: `fetch, Hono ${what} / @hono/node-server`, side: 'off', peer: 'httpOn', bar },
    {
      name: `fetch, Hono ${what} / @hono/node-server, globals left alone`,
      side: 'off',
      peer: 'httpOff',
    },
  ]
}

/** @type {import('../lib/measure.js').Case[]} */
export const fetchCases = [
  {
    name: 'fetch-text',
    request: { path: '/' },
    expected: { body: 'Hello, world!' },
    sides,
    rows: rows('text', 0.9),
  },
  {
    name: 'fetch-json',
    request: jsonRequest,
    expected: jsonExpected,
    sides,
    rows: rows('POST 1 KiB JSON', 0.6),
  },
]
