// The smallest response: 13 bytes.

import { TEXT } from '../apps/hello.js'
import { compareSides } from '../lib/ratio.js'

const work = { request: { path: '/' }, expected: { body: TEXT } }

/** @type {import('../lib/server.js').ServerSpec} */
const core = { program: 'core.js', protocol: 'fastcgi' }

/** @type {import('./index.js').Case} */
export const hello = {
  name: 'hello',
  quick: true,
  everyNode: true,
  run: (setting) =>
    compareSides(
      {
        work,
        sides: {
          core,
          http: { program: 'http.js', protocol: 'http' },
          loop: { program: 'loop.js', protocol: 'fastcgi' },
        },
        rows: [
          { name: 'core / node:http', side: 'core', peer: 'http', bar: 0.9 },
          { name: 'core / hand-written loop', side: 'core', peer: 'loop', bar: 1.2 },
          { name: 'hand-written loop / node:http', side: 'loop', peer: 'http' },
        ],
      },
      setting,
    ),
}

/**
 * A new connection for each request, as front servers open it by default.
 * @type {import('./index.js').Case}
 */
export const helloUnkept = {
  name: 'hello-unkept',
  run: (setting) =>
    compareSides(
      {
        work,
        sides: {
          core: { ...core, oneRequestEach: true },
          http: { program: 'http.js', protocol: 'http', oneRequestEach: true },
        },
        rows: [{ name: 'core / node:http, a connection each', side: 'core', peer: 'http', bar: 0.9 }],
      },
      setting,
    ),
}

/** @type {import('./index.js').Case[]} */
export const helloPeers = [
  peerCase(
    'hello-node-fastcgi',
    { name: 'core / node-fastcgi', bar: 0.08 },
    { program: 'node-fastcgi.js', protocol: 'fastcgi', oneRequestEach: true },
  ),
  peerCase(
    'hello-go',
    { name: 'core / Go net/http/fcgi', bar: 0.3 },
    { program: 'go/main.go', protocol: 'fastcgi' },
    { go: 'golang-go' },
  ),
]

/**
 * @param {string} name
 * @param {{ name: string, bar: number }} row
 * @param {import('../lib/server.js').ServerSpec} peer
 * @param {Record<string, string>} [peers]
 * @returns {import('./index.js').Case}
 */
function peerCase(name, row, peer, peers) {
  return {
    name,
    peers,
    run: (setting) =>
      compareSides({ work, sides: { core, peer }, rows: [{ ...row, side: 'core', peer: 'peer' }] }, setting),
  }
}
