import { jsonExpected, jsonRequest } from './json.js'

// Over HTTP, Express on Node 20 and 22 changes the prototypes of each request and response, which costs most of its time.
const getBar = (nodeMajor) => (nodeMajor < 24 ? 0.25 : 0.8)
const postBar = (nodeMajor) => (nodeMajor < 24 ? 0.45 : 0.85)

const TITLES = { express5: 'Express 5', express4: 'Express 4' }

/** @type {import('../lib/measure.js').Case[]} */
export const expressCases = ['express5', 'express4'].flatMap((variant) => {
  const sides = {
    fastcgi: { program: 'express-fastcgi.js', variant, protocol: 'fastcgi' },
    http: { program: 'express-http.js', variant, protocol: 'http' },
  }
  const title = TITLES[variant]
  const nodeFastcgi = {
    program: 'express-node-fastcgi.js',
    variant,
    protocol: 'fastcgi',
    oneRequestEach: true,
  }
  return [
    {
      name: `${variant}-get`,
      request: { path: '/' },
      expected: { body: 'Hello, world!' },
      sides: variant === 'express5' ? { ...sides, nodeFastcgi } : sides,
      rows: [
        { name: `${title} res.send / node:http`, side: 'fastcgi', peer: 'http', bar: getBar },
        ...(variant === 'express5'
          ? [{ name: `${title} res.send / node-fastcgi`, side: 'fastcgi', peer: 'nodeFastcgi', bar: 0.12 }]
          : []),
      ],
    },
    {
      name: `${variant}-post`,
      request: jsonRequest,
      expected: jsonExpected,
      sides,
      rows: [{ name: `${title} POST 1 KiB JSON / node:http`, side: 'fastcgi', peer: 'http', bar: postBar }],
    },
  ]
})
