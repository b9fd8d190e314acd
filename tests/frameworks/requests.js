// Requests that many programs get.

/**
 * @typedef {object} ProgramRequest
 * @property {string} name What it shows.
 * @property {string | ((texts: string[]) => string)} path A function gets the bodies of the responses so far.
 * @property {string} [method]
 * @property {readonly string[]} [headers] Names and values in turn.
 * @property {string | Buffer | ((texts: string[]) => string)} [body]
 * @property {number} [status] The expected status. 200 by default.
 * @property {string} [contains] Text of the body. The rest of it may differ.
 * @property {readonly string[]} [ignored] Response headers, in lower case, that may differ.
 * @property {boolean} [requiresCookies] The request fails if no response has set a cookie yet. All requests send the cookies that were set.
 * @property {boolean} [asset] A file: it is requested again with If-None-Match, If-Modified-Since and Range.
 */

/** The body of an upload: 3 MB. */
export const UPLOAD = Buffer.alloc(3_000_000, 'uploaded ')

const FORM = ['Content-Type', 'application/x-www-form-urlencoded']
const BOUNDARY = 'limit-of-a-part'

/**
 * A multipart form with {@link UPLOAD} as `file`. `fields` precede it.
 * @param {Readonly<Record<string, string>>} fields
 */
export function multipart(fields = {}) {
  const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return Buffer.concat([
    Buffer.from(`${partsOf(fields)}${head}`),
    UPLOAD,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ])
}

/**
 * A multipart form without a file.
 * @param {Readonly<Record<string, string>>} values
 */
export function fields(values) {
  return `${partsOf(values)}--${BOUNDARY}--\r\n`
}

function partsOf(values) {
  const parts = Object.entries(values).map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  return parts.join('')
}

/** The header of {@link multipart} and {@link fields}. */
export const MULTIPART = ['Content-Type', `multipart/form-data; boundary=${BOUNDARY}`]

/** A form.
 * @returns {ProgramRequest}
 */
export function form(path, fields, headers = /** @type {readonly string[]} */ ([])) {
  const body = new URLSearchParams(fields).toString()
  return { name: 'a form', method: 'POST', path, headers: [...FORM, ...headers], body }
}

/** A POST of JSON.
 * @returns {ProgramRequest}
 */
export function json(name, path, value, options = /** @type {Partial<ProgramRequest>} */ ({})) {
  const { headers = [], ...others } = options
  return {
    name,
    method: 'POST',
    path,
    headers: ['Content-Type', 'application/json', ...headers],
    body: JSON.stringify(value),
    ...others,
  }
}

/** The requests of the small servers in projects/servers.
 * @returns {ProgramRequest[]}
 */
export function standardRequests({ upload = 'raw', files = true } = {}) {
  const body = upload === 'raw' ? UPLOAD : multipart()
  const type = upload === 'raw' ? ['Content-Type', 'application/octet-stream'] : MULTIPART
  return [
    { name: 'a page', path: '/' },
    { name: 'the head of a page', method: 'HEAD', path: '/' },
    ...(files ? [{ name: 'an asset', path: '/style.css', asset: true }] : []),
    { name: 'what the app knows of the client', path: '/client?a=%2F&b' },
    { ...form('/form', { name: 'Zoe' }), status: 303 },
    { name: 'the page after the redirect, with cookies', path: '/hello', requiresCookies: true },
    { name: 'an upload of 3 MB', method: 'POST', path: '/upload', headers: type, body },
    { name: 'a path without a page', path: '/missing', status: 404 },
    { name: 'a page that fails', path: '/fail', status: 500 },
  ]
}

/** The event stream of these servers. */
export const STANDARD_STREAM = { path: '/events', until: 'first', disconnectsPath: '/disconnects' }
