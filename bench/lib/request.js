// A browser's request in two forms: as nginx forwards it over FastCGI, and over HTTP.

import { readFileSync } from 'node:fs'
import {
  decodeNameValues,
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  RecordDecoder,
} from '@fcgi-bridge/core'

/**
 * @typedef {object} RequestSpec The contents of both forms.
 * @property {string} [method] Default GET.
 * @property {string} [path] Default `/`; with its query.
 * @property {string} [body] Sent with `contentType`.
 * @property {string} [contentType]
 * @property {number} [contentLength] Set if the body is sent separately.
 * @property {boolean} [oneRequestEach] The connection is closed after the response.
 * @property {number} [params] The number of params. Default: a browser's. A larger number adds headers, over HTTP as well. A smaller number
 * changes nothing over HTTP.
 */

// Recorded from nginx with Debian's fastcgi_params and fastcgi_keep_conn.
const CAPTURE = new URL('../../tests/captures/nginx-keepalive/get_query.bin', import.meta.url)

// Invented headers, similar to those of browsers. With nginx's 18 params there are 27 params.
/** @type {[string, string][]} */
const BROWSER_HEADERS = [
  ['Host', 'www.example.com'],
  [
    'User-Agent',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  ],
  [
    'Accept',
    'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  ],
  ['Accept-Language', 'en-GB,en;q=0.9,de;q=0.8'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ['Connection', 'keep-alive'],
  ['Referer', 'https://www.example.com/shop/catalogue?page=2'],
  ['Cookie', 'session=s%3A5f2b8c1e9d7a4f60b3c2.Zm9vYmFy; theme=dark'],
  ['Upgrade-Insecure-Requests', '1'],
]

const NGINX_PARAMS = recordedParams().filter(([name]) => !name.startsWith('HTTP_'))

/** The default number of params in the request of {@link fastCgiRequest}. */
export const BROWSER_PARAMS = NGINX_PARAMS.length + BROWSER_HEADERS.length

/**
 * Encodes BEGIN_REQUEST, PARAMS and STDIN in one Buffer, as nginx writes them.
 * @param {RequestSpec} spec
 * @param {number} requestId
 */
export function fastCgiRequest(spec, requestId = 1) {
  const parts = [
    encodeBeginRequest(requestId, FCGI_RESPONDER, spec.oneRequestEach ? 0 : FCGI_KEEP_CONN),
    ...stream(FCGI_PARAMS, requestId, encodeNameValues(paramsOf(spec))),
  ]
  if (spec.contentLength === undefined) {
    parts.push(...stream(FCGI_STDIN, requestId, Buffer.from(spec.body ?? '')))
  }
  return Buffer.concat(parts)
}

/**
 * Encodes request line, headers and body in one Buffer.
 * @param {RequestSpec} spec
 */
export function httpRequest(spec) {
  const lines = [`${spec.method ?? 'GET'} ${spec.path ?? '/'} HTTP/1.1`]
  for (const [name, value] of headersOf(spec)) {
    lines.push(`${name}: ${name === 'Connection' && spec.oneRequestEach ? 'close' : value}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${spec.body ?? ''}`)
}

/**
 * The headers of {@link httpRequest}, for a client that manages its connections itself.
 * @param {RequestSpec} spec
 * @returns {[string, string][]}
 */
export function httpHeaders(spec) {
  return headersOf(spec).filter(([name]) => name !== 'Connection')
}

function paramsOf(spec) {
  const path = spec.path ?? '/'
  const [pathname, query = ''] = path.split('?')
  const own = {
    QUERY_STRING: query,
    REQUEST_METHOD: spec.method ?? 'GET',
    CONTENT_TYPE: spec.contentType ?? '',
    CONTENT_LENGTH: contentLength(spec),
    SCRIPT_NAME: pathname,
    REQUEST_URI: path,
    DOCUMENT_URI: pathname,
  }
  const params = NGINX_PARAMS.map(([name, value]) => [name, own[name] ?? value])
  for (const [name, value] of headersOf(spec)) {
    params.push([`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, value])
  }
  return spec.params === undefined ? params : withCount(params, spec.params)
}

/** @param {RequestSpec} spec @returns {[string, string][]} */
function headersOf(spec) {
  /** @type {[string, string][]} */
  const headers = [...BROWSER_HEADERS]
  if (spec.contentType !== undefined) headers.push(['Content-Type', spec.contentType])
  const length = contentLength(spec)
  if (length !== '') headers.push(['Content-Length', length])
  for (let count = BROWSER_PARAMS; count < (spec.params ?? 0); count++) {
    headers.push([`X-Extra-${count}`, 'a value of usual length'])
  }
  return headers
}

// The required params come first, so that they are kept.
function withCount(params, count) {
  if (count >= params.length) return params
  const needed = new Set(['REQUEST_METHOD', 'REQUEST_URI', 'SERVER_PROTOCOL', 'REMOTE_ADDR', 'HTTP_HOST'])
  const first = params.filter(([name]) => needed.has(name))
  return [...first, ...params.filter(([name]) => !needed.has(name))].slice(0, count)
}

function contentLength(spec) {
  if (spec.contentLength !== undefined) return String(spec.contentLength)
  return spec.body === undefined ? '' : String(Buffer.byteLength(spec.body))
}

/** @returns {[string, string][]} */
function recordedParams() {
  const content = []
  const decoder = new RecordDecoder({
    onStream(type, _requestId, chunk, start, end) {
      if (type === FCGI_PARAMS) content.push(chunk.subarray(start, end))
    },
    onDiscrete() {},
  })
  decoder.push(readFileSync(CAPTURE))
  return decodeNameValues(Buffer.concat(content))
}

function stream(type, requestId, content) {
  const records = []
  for (let start = 0; start < content.length; start += 32 * 1024) {
    records.push(encodeRecord(type, requestId, content.subarray(start, start + 32 * 1024)))
  }
  return [...records, encodeRecord(type, requestId, Buffer.alloc(0))]
}
