import { STATUS_CODES } from 'node:http'

// Says whether two outcomes differ, and whether by one of the differences that packages/express-adapter/README.md explains.

const ANSWER_OF_A_FAILURE = '500 Internal Server Error\n'
const HEADERS_OF_A_FAILURE = [['content-type', 'text/plain; charset=utf-8']]

// Up to here (bytes) a body arrives together with its head, so that its events and those of the response have one order.
const TOGETHER_MAX = 1000

/**
 * @typedef {import('./script.js').Script} Script
 * @typedef {import('./run.js').Outcome} Outcome
 */

/**
 * Undefined for outcomes that are the same; else what explains the difference, or `''` if nothing does.
 *
 * @param {Script} script
 * @param {Outcome} http
 * @param {Outcome} fastcgi
 * @returns {string | undefined}
 */
export function difference(script, http, fastcgi) {
  // With an exception that nobody catches the process ends.
  http = untilUncaught(http)
  fastcgi = untilUncaught(fastcgi)
  const isSame = (parts) => parts.every((part) => same(part(http, script), part(fastcgi, script)))
  if (isSame([answerOf, linesOf, stuckOf])) return undefined
  for (const [name, applies, compared] of EXPLAINED) {
    if (applies(script, http, fastcgi) && isSame(compared)) return name
  }
  return ''
}

function untilUncaught(outcome) {
  // A body that has arrived and is not read is not complete here.
  const lines = outcome.lines.map((line) => line.replaceAll(/complete=\w+ /g, ''))
  const end = lines.findIndex((line) => line.startsWith('uncaught'))
  return { ...outcome, lines: end < 0 ? lines : lines.slice(0, end + 1) }
}

function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b)
}

// A response that fails before its head is a 500 over FastCGI, and a closed connection over HTTP.
function answerOf({ answer: { status, reason, headers, body, complete } }) {
  if (
    !complete ||
    status === 0 ||
    (status === 500 && (body === ANSWER_OF_A_FAILURE || (body === '' && same(headers, HEADERS_OF_A_FAILURE))))
  )
    return 'cut'
  // A 204 has no Content-Length (RFC 9110 section 8.6). An empty reason is sent as the usual one.
  if (status === 204) headers = headers.filter(([name]) => name !== 'content-length')
  return { status, reason: reason || STATUS_CODES[status] || 'unknown', headers, body }
}

function finishesFirst({ lines }) {
  const end = lines.indexOf('req end')
  const finish = lines.indexOf('res finish')
  return finish >= 0 && (end < 0 || finish < end)
}

const stuckOf = ({ stuck }) => stuck

const linesOf = ({ lines }, { ask }) =>
  ask.pieces.length === 0 && ask.body <= TOGETHER_MAX && !ask.leaves
    ? lines
    : [responseOf({ lines }), requestOf({ lines }), restOf({ lines })]

const isResponse = (line) => /^res[ .]/.test(line)
const isRequest = (line) => /^req[ .]/.test(line)
const responseOf = ({ lines }) => lines.filter(isResponse)
const requestOf = ({ lines }) => lines.filter(isRequest)
const restOf = ({ lines }) => lines.filter((line) => !isResponse(line) && !isRequest(line)).sort()
const closesOf = ({ lines }) => lines.filter((line) => /^re[qs] close/.test(line)).sort()

/** @type {[name: string, applies: (script: Script, http: Outcome, fastcgi: Outcome) => boolean, compared: Function[]][]} */
const EXPLAINED = [
  [
    'a request body that has not arrived when the response ends is not read on',
    ({ ask }, http, fastcgi) =>
      fastcgi.lines.some((line) => line === 'req finish' || line.includes('FCGI_ERR_BODY_DISCARDED')) ||
      ((ask.pieces.length > 0 || ask.body > TOGETHER_MAX) && (finishesFirst(http) || finishesFirst(fastcgi))),
    [answerOf],
  ],
  [
    'a response shorter than its Content-Length is a failure, and one that is longer is cut',
    ({ steps }, http) => steps.some(({ call }) => call === 'res.contentLength') && !http.answer.complete,
    [],
  ],
  [
    'a request whose connection is destroyed after its response closes',
    ({ steps }) => steps.some(({ call }) => /^(?:req.destroy|res.destroy|socket)/.test(call)),
    [answerOf, responseOf],
  ],
  [
    "a time-out while a body that has arrived is not read: it is the request's",
    ({ ask, steps }) => ask.body > 0 && steps.some(({ call }) => call.endsWith('setTimeout')),
    [],
  ],
  [
    'when the server notices that a client has left',
    ({ ask }, http, fastcgi) =>
      ask.leaves ||
      (http.stuck && fastcgi.stuck) ||
      // Its client has all of the response with the head.
      (ask.method === 'HEAD' && !http.lines.includes('res finish')),
    [],
  ],
  [
    'what is read and written on a connection that was destroyed',
    (_, http, fastcgi) => answerOf(http) === 'cut' && answerOf(fastcgi) === 'cut',
    [closesOf],
  ],
  [
    "what is written while corked, which Node's breaks the connection with or forgets",
    ({ steps }, http) => !http.answer.complete && steps.some(({ call }) => /cork/.test(call)),
    [],
  ],
  [
    'a request that is paused after its response has finished may end or not',
    ({ steps }, http) => http.lines.includes('res finish') && steps.some(({ call }) => call === 'req.pause'),
    [answerOf, responseOf],
  ],
  [
    "a body that has arrived before its reader comes: what its last piece causes is done before its 'end'",
    ({ ask, steps }) =>
      ask.body > 0 && steps.some(({ when, call }) => call === 'req.pipeline' && when !== 'now'),
    [answerOf],
  ],
  [
    'how a large body is cut into pieces, if something else is written or read between them',
    ({ ask, steps }) => ask.body > TOGETHER_MAX && steps.some(({ call }) => /pipe/.test(call)),
    [({ answer: { status, complete } }) => [status, complete]],
  ],
  [
    'a request that is piped into a response that has finished may not end',
    (_, http) =>
      http.lines.lastIndexOf('res pipe') > http.lines.indexOf('res finish') &&
      http.lines.includes('res finish'),
    [answerOf],
  ],
]
