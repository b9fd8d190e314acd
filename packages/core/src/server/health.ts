import type { Exchange, Handler } from '../exchange/exchange.ts'
import type { Handlers } from './handlers.ts'

/** Returns whether the server accepts new requests. The health path reports the result. */
type IsHealthy = () => boolean

/** Whether the option `healthPath` can be this path: one of a URL, without a query. */
export function isHealthPath(path: string): boolean {
  return /^\/[^?#\s]*$/.test(path)
}

/**
 * Adds the response to `path` to some handlers: 200 while `isHealthy()`, otherwise 503. The app does not get these requests. Like the ping
 * path of PHP-FPM, it needs no HTTP_HOST: HAProxy's `option httpchk` sends none.
 */
export function withHealth(handlers: Handlers, path: string, isHealthy: IsHealthy): Handlers {
  const { responder } = handlers
  if (responder === undefined) return handlers
  const handler: Handler = (exchange) => {
    if (isFor(path, exchange)) respond(exchange, isHealthy())
    else return responder(exchange)
  }
  return { ...handlers, responder: handler }
}

function isFor(path: string, exchange: Exchange): boolean {
  try {
    const { target } = exchange
    return target === path || target.startsWith(`${path}?`)
  } catch {
    // The params are invalid. The app's handler meets the same error, and the server responds with 400.
    return false
  }
}

function respond(exchange: Exchange, isHealthy: boolean): void {
  const body = isHealthy ? 'ok\n' : 'draining\n'
  exchange.writeHead(isHealthy ? 200 : 503, [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
  ])
  if (exchange.method === 'HEAD') exchange.end()
  else exchange.end(body)
}
