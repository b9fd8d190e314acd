import type { Exchange, Handler } from '@fcgi-bridge/core'
import { type Paint, printable } from '../terminal.ts'

/** One finished request. */
export interface LogEntry {
  /** When the request arrived. */
  time: Date
  remoteAddress: string | undefined
  remoteUser: string | undefined
  method: string
  /** Path and query, as the client sent them. */
  target: string
  protocol: string
  status: number
  /** Bytes of the response body. */
  bytes: number
  /** Milliseconds from the end of the params to the end of the response. */
  duration: number
  referrer: string | undefined
  userAgent: string | undefined
  /**
   * `failed`: the app failed. If the response head had been sent, the response was cut off. `aborted`: the front server aborted the
   * request.
   */
  outcome: 'ended' | 'failed' | 'aborted'
}

/** The format of a log line: {@link formatShort} or {@link formatCombined}. */
export type LogFormat = 'short' | 'combined'

/** Wraps a handler and calls `log` once at the end of each request. */
export function withLog(handler: Handler, log: (entry: LogEntry) => void): Handler {
  return (exchange) => {
    watch(exchange, log)
    return handler(exchange)
  }
}

// An exchange has no event for its end, so wrap the methods that send the response.
function watch(exchange: Exchange, log: (entry: LogEntry) => void): void {
  const begin = performance.now()
  const time = new Date()
  const hasNoBody = exchange.role !== 'authorizer' && exchange.method === 'HEAD'
  let status = 200
  let bytes = 0
  let logged = false

  const logOnce = (outcome: LogEntry['outcome']): void => {
    if (logged) return
    logged = true
    const isBodyless = hasNoBody || status === 204 || status === 205 || status === 304
    log({
      time,
      remoteAddress: exchange.remoteAddress,
      remoteUser: exchange.param('REMOTE_USER') || undefined,
      method: exchange.method,
      target: exchange.target,
      protocol: exchange.param('SERVER_PROTOCOL') ?? 'HTTP/1.1',
      status,
      bytes: isBodyless ? 0 : bytes,
      duration: performance.now() - begin,
      referrer: exchange.param('HTTP_REFERER'),
      userAgent: exchange.param('HTTP_USER_AGENT'),
      outcome,
    })
  }
  const count = (chunk: Uint8Array | string | undefined): void => {
    if (chunk !== undefined) bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
  }

  // Create the closures separately: V8 pretenures closures assigned straight to a property, and each one would keep its request
  // alive until the next major collection.
  const { writeHead, write, end, fail } = exchange
  const logWriteHead: Exchange['writeHead'] = (code, headers, reason) => {
    writeHead.call(exchange, code, headers, reason)
    status = code
  }
  const logWrite: Exchange['write'] = (chunk, callback) => {
    count(chunk)
    return write.call(exchange, chunk, callback)
  }
  const logEnd: Exchange['end'] = (chunk, callback) => {
    if (!exchange.ended) count(chunk)
    end.call(exchange, chunk, callback)
    logOnce('ended')
  }
  const logFail: Exchange['fail'] = (error) => {
    if (!exchange.ended && !exchange.headSent) status = 500
    fail.call(exchange, error)
    if (!exchange.aborted) logOnce('failed')
  }
  exchange.writeHead = logWriteHead
  exchange.write = logWrite
  exchange.end = logEnd
  exchange.fail = logFail
  exchange.signal.addEventListener('abort', () => logOnce('aborted'), { once: true })
}

/** Formats `GET /cart?x=1 200 3.2 ms - 512`, like Morgan's `dev` format, with a coloured status. */
export function formatShort(entry: LogEntry, paint: Paint): string {
  const { method, target, status, duration, bytes, outcome } = entry
  const ending = outcome === 'ended' ? '' : ` ${paint('red', outcome)}`
  return `${method} ${printable(target)} ${paint(colorOf(status), String(status))} ${duration.toFixed(1)} ms - ${bytes}${ending}`
}

/** Formats a line in Apache's combined log format, which log analysers read. */
export function formatCombined(entry: LogEntry): string {
  const { remoteAddress = '-', remoteUser, method, target, protocol, status, bytes } = entry
  const request = `${method} ${target} ${protocol}`
  return [
    remoteAddress,
    '-',
    remoteUser === undefined ? '-' : quoted(remoteUser).replaceAll(' ', '\\x20'),
    `[${commonTime(entry.time)}]`,
    `"${quoted(request)}"`,
    status,
    bytes === 0 ? '-' : bytes,
    `"${quoted(entry.referrer ?? '-')}"`,
    `"${quoted(entry.userAgent ?? '-')}"`,
  ].join(' ')
}

function colorOf(status: number): 'red' | 'yellow' | 'cyan' | 'green' {
  if (status >= 500) return 'red'
  if (status >= 400) return 'yellow'
  return status >= 300 ? 'cyan' : 'green'
}

// 25/Nov/2026:20:50:00 +0000
function commonTime(time: Date): string {
  const [, day, month, year, clock] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(time.toUTCString())!
  return `${day}/${month}/${year}:${clock} +0000`
}

// Escapes as Apache does, so that a client cannot inject log lines.
function quoted(text: string): string {
  return printable(text.replace(/["\\]/g, '\\$&')).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}
