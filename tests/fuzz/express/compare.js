import { STATUS_CODES } from 'node:http'

// Compares two outcomes. Finds out whether a difference is one that packages/express-adapter/README.md explains.

const BODY_OF_A_FAILURE = '500 Internal Server Error\n'
const HEADERS_OF_A_FAILURE = [['content-type', 'text/plain; charset=utf-8']]

// A body of up to this many bytes arrives together with its head, so its events and those of the response have a fixed
// order.
const TOGETHER_MAX = 1000

/**
 * @typedef {import('./script.js').Script} Script
 * @typedef {import('./run.js').Outcome} Outcome
 */

/**
 * Returns undefined for equal outcomes, the explanation of a difference, or `''` if there is none.
 *
 * @param {Script} script
 * @param {Outcome} http
 * @param {Outcome} fastcgi
 * @returns {string | undefined}
 */
export function difference(script, http, fastcgi) {
  // An uncaught exception ends the process.
  http = untilUncaught(http)
  fastcgi = untilUncaught(fastcgi)
  const isSame = (parts) => parts.every((part) => same(part(http, script), part(fastcgi, script)))
  if (isSame([receivedOf, linesOf, stuckOf])) return undefined
  for (const [name, applies, compared] of EXPLAINED) {
    if (applies(script, http, fastcgi) && isSame(compared)) return name
  }
  return ''
}

function untilUncaught(outcome) {
  // Here a body that has arrived but was not read is incomplete.
  const lines = outcome.lines.map((line) => line.replaceAll(/complete=\w+ /g, ''))
  const end = lines.findIndex((line) => line.startsWith('uncaught'))
  return { ...outcome, lines: end < 0 ? lines : lines.slice(0, end + 1) }
}

function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b)
}

// A response that fails before its head is a 500 over FastCGI, and a closed connection over HTTP.
function receivedOf({ response: { status, reason, headers, body, complete } }) {
  if (
    !complete ||
    status === 0 ||
    (status === 500 && (body === BODY_OF_A_FAILURE || (body === '' && same(headers, HEADERS_OF_A_FAILURE))))
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

// What the client has received, even of a response that was cut off.
const headOf = ({ response: { status, reason, headers } }) => [status, reason, headers]

// Errors that calls throw because of their arguments or of the head. They do not depend on the connection.
const throwsOf = ({ lines }) => lines.filter((line) => / throws ERR_(?:HTTP|INVALID)/.test(line)).sort()

// The listener's timer does not end a response whose client has disconnected.
const restWithoutTimer = ({ lines }) =>
  restOf({ lines: lines.filter((line) => line !== 'ended by the timer') })

const setsLength = ({ steps }) => steps.some(({ call }) => call === 'res.contentLength')
const isLonger = (script, http, fastcgi) =>
  setsLength(script) && !http.response.complete && fastcgi.response.complete
const timesOutRequest = ({ lines }) => lines.includes('req timeout')

/** @type {[name: string, applies: (script: Script, http: Outcome, fastcgi: Outcome) => boolean, compared: Function[]][]} */
const EXPLAINED = [
  [
    'a request body that has not arrived when the response ends is not read on',
    ({ ask }, http, fastcgi) =>
      fastcgi.lines.some((line) => line === 'req finish' || line.includes('FCGI_ERR_BODY_DISCARDED')) ||
      ((ask.pieces.length > 0 || ask.body > TOGETHER_MAX) && (finishesFirst(http) || finishesFirst(fastcgi))),
    [receivedOf],
  ],
  [
    // Node sends the response unchanged, and its client waits for the rest. Only the events at the end of the
    // connection differ.
    'a response shorter than its Content-Length is a failure',
    (script, http) => setsLength(script) && !http.response.complete,
    [receivedOf, restOf],
  ],
  [
    // Node's client reads the bytes beyond the length as the next response, and fails. Both servers emit the same
    // events.
    'bytes beyond the Content-Length are not sent',
    (script, http, fastcgi) => isLonger(script, http, fastcgi),
    [linesOf, stuckOf],
  ],
  [
    // The request has no 'aborted' event if it has closed before.
    "bytes beyond the Content-Length, if Node's client disconnects because of them while the response is running",
    (script, http, fastcgi) =>
      isLonger(script, http, fastcgi) &&
      (http.lines.includes('req aborted') || !http.lines.includes('res finish')),
    [restWithoutTimer, stuckOf],
  ],
  [
    'a request whose connection is destroyed after its response closes',
    ({ steps }) => steps.some(({ call }) => /^(?:req.destroy|res.destroy|socket)/.test(call)),
    [receivedOf, responseOf],
  ],
  [
    // Its 'timeout' listener then keeps the connection open, so all later events differ.
    "a time-out while a body that has arrived is not read: it is the request's",
    ({ ask }, http, fastcgi) => ask.body > 0 && timesOutRequest(http) !== timesOutRequest(fastcgi),
    [],
  ],
  [
    'when the server detects that a client has disconnected: the response may not have been sent completely',
    ({ ask }) => ask.leaves,
    [headOf],
  ],
  [
    'when the server detects that a client has disconnected after it waited too long',
    (_, http, fastcgi) => http.stuck && fastcgi.stuck,
    [receivedOf, restOf],
  ],
  [
    // Node's client has the whole response when it has the head. If that has no Content-Length, the client disconnects before
    // the server ends the response.
    'when the server ends a response to HEAD',
    ({ ask }, http) =>
      ask.method === 'HEAD' && (http.lines.includes('req aborted') || !http.lines.includes('res finish')),
    [headOf],
  ],
  [
    'what is read and written on a connection that was destroyed',
    (_, http, fastcgi) => receivedOf(http) === 'cut' && receivedOf(fastcgi) === 'cut',
    [closesOf],
  ],
  [
    "a write's callback on a connection that the app has ended: it runs only over FastCGI, and an error that it throws ends the list",
    ({ steps }, http, fastcgi) =>
      steps.some(({ call }) => call === 'socket.end') &&
      receivedOf(http) === 'cut' &&
      receivedOf(fastcgi) === 'cut' &&
      fastcgi.lines.at(-1)?.startsWith('uncaught'),
    [],
  ],
  [
    // From the first uncork() without a cork() on, the response counts as corked.
    'what is written while corked: Node loses it, or breaks the connection',
    ({ steps }, http) => !http.response.complete && steps.some(({ call }) => /^res.(?:un)?cork$/.test(call)),
    [throwsOf],
  ],
  [
    'a request that is paused after its response has finished may end or not',
    ({ steps }, http) => http.lines.includes('res finish') && steps.some(({ call }) => call === 'req.pause'),
    [receivedOf, responseOf],
  ],
  [
    "a body that arrived before its reader: the effects of its last piece come before its 'end'",
    ({ ask, steps }) =>
      ask.body > 0 && steps.some(({ when, call }) => call === 'req.pipeline' && when !== 'now'),
    [receivedOf],
  ],
  [
    'how a large body is split into pieces, if something else is written or read between them',
    ({ ask, steps }) => ask.body > TOGETHER_MAX && steps.some(({ call }) => /pipe/.test(call)),
    [({ response: { status, complete } }) => [status, complete]],
  ],
  [
    'a request that is piped into a response that has finished may not end',
    (_, http) =>
      http.lines.lastIndexOf('res pipe') > http.lines.indexOf('res finish') &&
      http.lines.includes('res finish'),
    [receivedOf],
  ],
]
