// Requests of a browser, for the programs of full-stack.js and built.js.

import { MULTIPART, multipart } from '../requests.js'

// Frameworks refuse forms from other origins.
export const SAME_ORIGIN = ['Origin', 'http://app.test']
export const HTML = ['Accept', 'text/html']

/** An upload by a page of the same origin. */
export const upload = (path, { status = 200 } = {}) => ({
  name: 'an upload of 3 MB',
  method: 'POST',
  path,
  headers: [...MULTIPART, ...SAME_ORIGIN],
  body: multipart(),
  status,
})

/** An asset whose URL is in the first page. */
export const assetOf = (pattern) => ({
  name: 'an asset of the page',
  path: (/** @type {string[]} */ [page]) => pattern.exec(page)?.[0] ?? '/the-page-has-no-asset',
  asset: true,
})
