import { measureTransfer } from '../lib/transfer.js'
import { express, hono } from './apps.js'

const GIB = 1024 ** 3

/** @type {import('./index.js').Case[]} */
export const transferCases = [
  transferCase('fetch', 'Hono', hono, 'download'),
  transferCase('fetch', 'Hono', hono, 'upload'),
  transferCase('express', 'Express 5', express, 'download'),
  transferCase('express', 'Express 5', express, 'upload'),
]

const WORK = {
  download: { request: { path: `/download/${GIB}` }, expected: { length: GIB } },
  upload: {
    request: {
      method: 'POST',
      path: '/upload',
      contentType: 'application/octet-stream',
      contentLength: GIB,
    },
    expected: { body: JSON.stringify({ length: GIB }) },
  },
}

function transferCase(name, title, pair, direction) {
  return {
    name: `${direction}-${name}`,
    run: (setting) =>
      measureTransfer(
        {
          ...pair,
          name: `${title}, ${direction} of 1 GiB / the same over HTTP`,
          direction,
          length: GIB,
          work: WORK[direction],
          bar: 1,
        },
        setting,
      ),
  }
}
