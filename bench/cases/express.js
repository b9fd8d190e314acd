import { compareSides } from '../lib/ratio.js'
import { jsonExpected, jsonRequest } from './json.js'

// Over HTTP, Express on Node 20 and 22 changes the prototypes of each request and response, which costs most of its time.
/** The target for Express, as a share of its cost over `node:http`. */
export const getBar = (nodeMajor) => (nodeMajor < 24 ? 0.25 : 0.8)
const postBar = (nodeMajor) => (nodeMajor < 24 ? 0.45 : 0.85)

const get = { request: { path: '/' }, expected: { body: 'Hello, world!' } }
const post = { request: jsonRequest, expected: jsonExpected }

/** @type {import('./index.js').Case[]} */
export const expressCases = [
  expressCase('express5-get', 'Express 5 res.send', get, getBar),
  expressCase('express5-post', 'Express 5 POST 1 KiB JSON', post, postBar),
  expressCase('express4-get', 'Express 4 res.send', get, getBar),
  expressCase('express4-post', 'Express 4 POST 1 KiB JSON', post, postBar),
]

/**
 * A new connection for each request, as front servers open it by default.
 * @type {import('./index.js').Case}
 */
export const expressUnkept = {
  name: 'express5-unkept',
  run: (setting) =>
    compareSides(
      {
        work: get,
        sides: {
          fastcgi: { ...fastcgi('express5'), oneRequestEach: true },
          http: { program: 'express-http.js', variant: 'express5', protocol: 'http', oneRequestEach: true },
        },
        rows: [
          {
            name: 'Express 5 res.send / node:http, a connection each',
            side: 'fastcgi',
            peer: 'http',
            bar: getBar,
          },
        ],
      },
      setting,
    ),
}

/** @type {import('./index.js').Case} */
export const expressPeer = {
  name: 'express-peers',
  run: (setting) =>
    compareSides(
      {
        work: get,
        sides: {
          fastcgi: fastcgi('express5'),
          nodeFastcgi: {
            program: 'express-node-fastcgi.js',
            variant: 'express5',
            protocol: 'fastcgi',
            oneRequestEach: true,
          },
        },
        rows: [
          { name: 'Express 5 res.send / node-fastcgi', side: 'fastcgi', peer: 'nodeFastcgi', bar: 0.12 },
        ],
      },
      setting,
    ),
}

/**
 * @param {string} name
 * @param {string} title
 * @param {import('../lib/side.js').Work} work
 * @param {import('../lib/ratio.js').Bar} bar
 * @returns {import('./index.js').Case}
 */
function expressCase(name, title, work, bar) {
  const variant = name.split('-', 1)[0]
  return {
    name,
    quick: true,
    everyNode: variant === 'express5',
    run: (setting) =>
      compareSides(
        {
          work,
          sides: {
            fastcgi: fastcgi(variant),
            http: { program: 'express-http.js', variant, protocol: 'http' },
          },
          rows: [{ name: `${title} / node:http`, side: 'fastcgi', peer: 'http', bar }],
        },
        setting,
      ),
  }
}

/** @param {string} variant @returns {import('../lib/server.js').ServerSpec} */
function fastcgi(variant) {
  return { program: 'express-fastcgi.js', variant, protocol: 'fastcgi' }
}
