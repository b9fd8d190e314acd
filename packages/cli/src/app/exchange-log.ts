import { subscribe } from 'node:diagnostics_channel'
import {
  EXCHANGE_CHANNEL,
  type Exchange,
  type ExchangeMessage,
  RequestError,
  type Role,
} from '@fcgi-bridge/core'

/** One request that has ended. `serve --json` prints it as it is, without undefined properties. */
export interface LogEntry {
  /** When the request began. */
  time: Date
  remoteAddress: string | undefined
  remoteUser: string | undefined
  /** Undefined, like `target`, if the params could not be read. */
  method: string | undefined
  /** Path and query, as the client sent them. */
  target: string | undefined
  protocol: string
  /** Undefined if no response head was sent. */
  status: number | undefined
  /** Bytes of the response body. */
  bytes: number
  /** Milliseconds from the beginning of the request to the end of its response. */
  duration: number
  referrer: string | undefined
  userAgent: string | undefined
  /**
   * `failed`: the app failed. If the response head had been sent, the response was cut off. `aborted`: the front server or this server
   * aborted the request. `refused`: the server rejected the request before the app received it.
   */
  outcome: 'ended' | 'failed' | 'aborted' | 'refused'
  role: Role
  /** The request's id on its FastCGI connection. */
  requestId: number
  /** Bytes of the request body. */
  bytesIn: number
  /** The trace id in the header `traceparent` (W3C Trace Context): 32 hexadecimal digits. */
  traceId: string | undefined
}

/** Calls `log` at the end of each exchange of this process, including requests that the server rejects. */
export function logExchanges(log: (entry: LogEntry) => void): void {
  subscribe(`tracing:${EXCHANGE_CHANNEL}:end`, (message) => log(entryOf(message as ExchangeMessage)))
}

/** The log entry of an ended exchange. `duration` counts from FCGI_BEGIN_REQUEST. */
export function entryOf(message: ExchangeMessage): LogEntry {
  const { exchange, startTime, endTime = startTime } = message
  return {
    time: new Date(performance.timeOrigin + startTime),
    remoteAddress: exchange.remoteAddress,
    remoteUser: exchange.param('REMOTE_USER') || undefined,
    method: message.method,
    target: message.target,
    protocol: exchange.param('SERVER_PROTOCOL') ?? 'HTTP/1.1',
    status: message.status,
    bytes: message.bytesOut,
    duration: endTime - startTime,
    referrer: exchange.param('HTTP_REFERER'),
    userAgent: exchange.param('HTTP_USER_AGENT'),
    outcome: outcomeOf(message),
    role: message.role,
    requestId: message.requestId,
    bytesIn: message.bytesIn,
    traceId: traceIdOf(exchange),
  }
}

function outcomeOf({ exchange, ...message }: ExchangeMessage): LogEntry['outcome'] {
  if (exchange.aborted) return 'aborted'
  if (message.error instanceof RequestError) return 'refused'
  return 'error' in message ? 'failed' : 'ended'
}

// Version, trace id, parent id, flags; later versions may append fields. Version ff and an id of zeros are invalid (section 3.2.2).
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/

function traceIdOf(exchange: Exchange): string | undefined {
  return TRACEPARENT.exec(exchange.param('HTTP_TRACEPARENT')?.trim() ?? '')?.[1]
}
