import type { Exchange, Handler } from '../exchange/exchange.ts'
import type { Handlers } from './handlers.ts'

/** Returns whether the server accepts new requests. The health path reports the result. */
type IsHealthy = () => boolean

/** Whether `path` is valid for the option `healthPath`: a URL path without a query or fragment. */
export function isHealthPath(path: string): boolean {
  return /^\/[^?#\s]*$/.test(path)
}

/**
 * Wraps `handlers` so that the server itself responds to `path`: with 200 while `isHealthy()`, otherwise with 503. The app does not get these
 * requests. HTTP_HOST may be missing, because HAProxy's `option httpchk` does not send it. Throws a TypeError if there is no responder.
 */
export function withHealth(handlers: Handlers, path: string, isHealthy: IsHealthy): Handlers {
  const { responder } = handlers
  if (responder === undefined) {
    throw new TypeError(
      'The option healthPath needs a responder handler, because health checks are responder requests. Add one, or leave the option out.',
    )
  }
  const handler: Handler = (exchange) => {
    if (isFor(path, exchange)) respond(exchange, isHealthy())
    else return responder(exchange)
  }
  return { ...handlers, responder: handler }
}

function isFor(path: string, { target }: Exchange): boolean {
  return target === path || target.startsWith(`${path}?`)
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
