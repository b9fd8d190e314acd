import { STATUS_CODES } from 'node:http'
import { LEFT } from './listener.js'

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
const eventsOfResponse = ({ lines }) => lines.filter((line) => line.startsWith('res '))
const requestOf = ({ lines }) => lines.filter(isRequest)
const restOf = ({ lines }) => lines.filter((line) => !isResponse(line) && !isRequest(line)).sort()
const closesOf = ({ lines }) => lines.filter((line) => /^re[qs] close/.test(line)).sort()

// What the client has received, even of a response that was cut off.
const headOf = ({ response: { status, reason, headers } }) => [status, reason, headers]

// Errors that calls throw because of their arguments or of the head. They do not depend on the connection. Calls on an event are
// left out, because the event may not occur.
const throwsOf = ({ lines }, { steps }) =>
  lines
    .filter((line) => {
      const number = /#(\d+) throws ERR_(?:HTTP|INVALID)/.exec(line)?.[1]
      return number !== undefined && !/^(?:re[qs] |written)/.test(steps[number].when)
    })
    .sort()

// The listener's timer does not end a response whose client has disconnected, and 'look' shows the state of the connection.
const restWithoutTimer = ({ lines }) =>
  restOf({ lines: lines.filter((line) => line !== 'ended by the timer' && !line.startsWith('look#')) })

const untilLeft = ({ lines }) => lines.slice(0, lines.indexOf(LEFT) + 1)

const withoutLengths = ({ lines }, script) =>
  linesOf({ lines: lines.map((line) => line.replace(/iterated \d+/, 'iterated')) }, script)

const setsLength = ({ steps }) => steps.some(({ call }) => call === 'res.contentLength')
// Node keeps the length of the body of an `end` that throws.
const keepsLength = ({ lines }) => lines.some((line) => /^(?:res\.)?end\S* throws/.test(line))
const isLonger = (script, http, fastcgi) =>
  (setsLength(script) || keepsLength(http)) && !http.response.complete && fastcgi.response.complete
const timesOutRequest = ({ lines }) => lines.includes('req timeout')
const discardsBody = ({ lines }) =>
  lines.some((line) => line === 'req finish' || line.includes('FCGI_ERR_BODY_DISCARDED'))
const ends = /^(?:req.destroy|res.destroy|socket)/
// The readers besides the iterator.
const READS = /^req\.(?:on |read$|resume|pipe)/

/** @type {[name: string, applies: (script: Script, http: Outcome, fastcgi: Outcome) => boolean, compared: Function[]][]} */
const EXPLAINED = [
  [
    'a request body that has not arrived when the response ends is not read on',
    ({ ask }, http, fastcgi) =>
      discardsBody(fastcgi) ||
      ((ask.pieces.length > 0 || ask.body > TOGETHER_MAX) && (finishesFirst(http) || finishesFirst(fastcgi))),
    [receivedOf],
  ],
  [
    // Node sends the response unchanged, and its client waits for the rest. Over FastCGI the request closes at the end of the
    // response, so what the app does later differs.
    'a response shorter than its Content-Length is a failure',
    (script, http) => setsLength(script) && !http.response.complete,
    [receivedOf, throwsOf],
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
    'bytes beyond the Content-Length are not sent, and a request body that has not arrived is not read on',
    (script, http, fastcgi) =>
      isLonger(script, http, fastcgi) && (discardsBody(fastcgi) || !http.lines.includes('req end')),
    [eventsOfResponse, stuckOf],
  ],
  [
    'a request whose connection is destroyed after its response closes',
    ({ steps }) => steps.some(({ call }) => ends.test(call)),
    [receivedOf, responseOf],
  ],
  [
    // Node writes the head in flushHeaders, the adapter at the end of the tick. Only a client that asked for no body takes the
    // head for a complete response.
    'a head of a response to HEAD that is flushed in the tick in which the connection is destroyed is a failure',
    ({ ask, steps }, http, fastcgi) =>
      ask.method === 'HEAD' &&
      http.response.complete &&
      receivedOf(fastcgi) === 'cut' &&
      steps.some(({ call }) => call === 'res.flushHeaders') &&
      steps.some(({ call }) => ends.test(call)),
    [linesOf, stuckOf],
  ],
  [
    // The response has ended, but no 'finish' shows it.
    'a request body that has not arrived when the response ends and its connection is destroyed is not read on',
    ({ ask, steps }, _, { lines }) =>
      (ask.pieces.length > 0 || ask.body > TOGETHER_MAX) &&
      lines.some((line) => /^res sent=\w+ ended=true finished=false/.test(line)) &&
      steps.some(({ call }) => ends.test(call)),
    [receivedOf, eventsOfResponse],
  ],
  [
    // Its 'timeout' listener then keeps the connection open, so all later events differ. A body that arrives with its head is in
    // the request's buffer on both.
    "a time-out while a body that has arrived later is not read: it is the request's",
    ({ ask }, http, fastcgi) =>
      (ask.pieces.length > 0 || ask.body > TOGETHER_MAX) &&
      timesOutRequest(http) !== timesOutRequest(fastcgi),
    [],
  ],
  [
    'when the server detects that a client has disconnected: the response may not have been sent completely',
    ({ ask }) => ask.leaves,
    [headOf],
  ],
  [
    // A FastCGI peer may close its side of the connection and still read the response. The server learns the difference when it
    // writes.
    'when the server detects that a client has disconnected after it waited too long',
    (_, http, fastcgi) => http.stuck && fastcgi.stuck,
    [receivedOf, untilLeft],
  ],
  [
    // Node's client has the whole response when it has the head. If that has no Content-Length, the client disconnects before
    // the server ends the response.
    'when the server ends a response to HEAD',
    ({ ask }, { lines }) =>
      ask.method === 'HEAD' &&
      (lines.includes('req aborted') || !lines.slice(0, lines.indexOf('res close')).includes('res finish')),
    [headOf],
  ],
  [
    'what is read and written on a connection that was destroyed',
    (_, http, fastcgi) => receivedOf(http) === 'cut' && receivedOf(fastcgi) === 'cut',
    [closesOf],
  ],
  [
    // In Node, `write` returns true until 64 KiB wait, so a source that is piped into the response goes on, and ends the response.
    'a source that is piped into a response whose connection was destroyed: it goes on in Node, and a later write throws',
    ({ steps }, http, fastcgi) =>
      receivedOf(http) === 'cut' &&
      receivedOf(fastcgi) === 'cut' &&
      http.lines.at(-1) === 'uncaught ERR_STREAM_WRITE_AFTER_END' &&
      steps.some(({ call }) => call === 'res.pipe'),
    [requestOf],
  ],
  [
    // The same, and the source is the request: over FastCGI it waits for the response, and closes with it.
    'a request that is piped into a response whose connection was destroyed: it ends in Node, and a later write throws',
    ({ steps }, http, fastcgi) =>
      receivedOf(http) === 'cut' &&
      receivedOf(fastcgi) === 'cut' &&
      http.lines.at(-1) === 'uncaught ERR_STREAM_WRITE_AFTER_END' &&
      steps.some(({ call }) => call === 'req.pipe res'),
    [({ lines }) => lines.includes('req close')],
  ],
  [
    // In Node, a piece of the request that is piped into it is one more such write.
    'how often a response whose connection was destroyed reports a write after its end',
    ({ steps }) =>
      steps.some(({ call }) => ends.test(call)) && steps.some(({ call }) => /^req\.pipe/.test(call)),
    [receivedOf, ({ lines }) => [...new Set(lines)]],
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
    'how a large body is split into pieces, if something else is written or read between them',
    ({ ask, steps }) => ask.body > TOGETHER_MAX && steps.some(({ call }) => /pipe/.test(call)),
    [({ response: { status, complete } }) => [status, complete]],
  ],
  [
    // Node reads 64 KiB of HTTP at a time, with the head and the sizes of chunks. Here it is 64 KiB of records.
    'how much of a large body each of two readers gets',
    ({ ask, steps }) =>
      ask.body > TOGETHER_MAX &&
      steps.some(({ call }) => call === 'req.iterate') &&
      steps.some(({ when, call }) => READS.test(call) || (call === 'req.iterate' && when !== 'now')),
    [receivedOf, withoutLengths],
  ],
  [
    // The exception leaves the callback of Node's parser, which then rejects the rest of the body.
    'an uncaught exception of a listener that reads the body: Node responds with a 400',
    (_, { response, lines }) => response.status === 400 && lines.at(-1)?.startsWith('uncaught'),
    [linesOf],
  ],
  [
    // The buffer of the request is full, so Node does not read from the connection, and does not see that it was closed.
    'the end of a connection that the app has ended, if Node has not read the whole body from it',
    ({ ask, steps }, http, fastcgi) =>
      ask.body > TOGETHER_MAX &&
      !http.lines.includes('req close') &&
      fastcgi.lines.includes('req aborted') &&
      steps.some(({ call }) => call === 'socket.end'),
    [receivedOf, throwsOf],
  ],
  [
    'a request that is piped into a response that has finished may not end',
    (_, http) =>
      http.lines.lastIndexOf('res pipe') > http.lines.indexOf('res finish') &&
      http.lines.includes('res finish'),
    [receivedOf],
  ],
]
