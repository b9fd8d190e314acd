import type { Exchange, Handler } from '@fcgi-bridge/core'
import { ExchangeContext, type FetchContext } from './context.ts'
import { sendResponse } from './send-response.ts'

/**
 * Answers a Request. The third argument is the context once more: there apps written for Workers look for
 * `waitUntil` (Hono's `c.executionCtx`).
 */
export type FetchHandler = (
  request: Request,
  context: FetchContext,
  executionContext: FetchContext,
) => Response | PromiseLike<Response>

/**
 * Makes a core handler of a fetch handler, for `createServer` of `@fcgi-bridge/core`: as responder, or as filter. What
 * `fetch` throws or rejects with is a 500 that says nothing of it, and goes to the error log and to `onError`.
 */
export function toHandler(fetch: FetchHandler): Handler {
  return (exchange) => {
    const request = requestOf(exchange)
    if (request === undefined) return
    const context = new ExchangeContext(exchange)
    const result = fetch(request, context, context)
    if (isPromiseLike(result)) {
      result.then(
        (response) => sendResponse(exchange, response),
        (error: unknown) => exchange.fail(error),
      )
    } else {
      sendResponse(exchange, result)
    }
  }
}

/** The exchange's Request; undefined where no Request can be made of it, which is then answered. */
export function requestOf(exchange: Exchange): Request | undefined {
  try {
    return exchange.request
  } catch (error) {
    if (!UNSUPPORTED_METHODS.test(exchange.method)) throw error
    // RFC 9110 section 15.6.2: not supported for any resource. It is no failure of the app's.
    exchange.writeHead(501, ['content-type', 'text/plain; charset=utf-8'])
    exchange.end('501 Not Implemented\n')
    return undefined
  }
}

// Fetch section 2.2.1: the forbidden methods. The Request constructor throws for them.
const UNSUPPORTED_METHODS = /^(?:connect|trace|track)$/i

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}
