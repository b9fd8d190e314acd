import { TEXT } from '../apps/hello.js'

/** @type {import('../lib/measure.js').Case} */
export const hello = {
  name: 'hello',
  request: { path: '/' },
  expected: { body: TEXT },
  sides: {
    core: { program: 'core.js', protocol: 'fastcgi' },
    http: { program: 'http.js', protocol: 'http' },
    loop: { program: 'loop.js', protocol: 'fastcgi' },
    nodeFastcgi: { program: 'node-fastcgi.js', protocol: 'fastcgi', oneRequestEach: true },
  },
  rows: [
    { name: 'core / node:http', side: 'core', peer: 'http', bar: 0.9 },
    { name: 'core / hand-written loop', side: 'core', peer: 'loop', bar: 1.2 },
    { name: 'core / node-fastcgi', side: 'core', peer: 'nodeFastcgi', bar: 0.08 },
    { name: 'hand-written loop / node:http', side: 'loop', peer: 'http' },
  ],
}
