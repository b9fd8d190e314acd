import type { Exchange, Handler } from '@fcgi-bridge/core'
import { ExchangeContext, type FetchContext, type WaitUntil } from './context.ts'
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

/** What {@link toHandler} and {@link toAuthorizer} need to know of the server they run on. */
export interface HandlerOptions {
  /** Takes what is given to `context.waitUntil`; for `close()` to wait: `(promise) => server.waitUntil(promise)`. Default: nobody waits. */
  waitUntil?: (promise: Promise<unknown>) => void
  /** Told when a promise given to `context.waitUntil` rejects. Default: it is printed to the process's standard error. */
  onError?: (error: unknown, exchange: Exchange) => void
}

/**
 * Makes a core handler of a fetch handler, for `createServer` of `@fcgi-bridge/core`: as responder, or as filter. What
 * `fetch` throws or rejects with is a 500 that says nothing of it, and goes to the error log and to `onError`.
 */
export function toHandler(fetch: FetchHandler, options: HandlerOptions = {}): Handler {
  const waitUntil = toWaitUntil(options)
  return (exchange) => {
    const request = requestOf(exchange)
    if (request === undefined) return
    const context = new ExchangeContext(exchange, waitUntil)
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

/** What contexts do with the promises they are given. */
export function toWaitUntil({ waitUntil, onError = printError }: HandlerOptions): WaitUntil {
  return (promise, exchange) => {
    const settled = Promise.resolve(promise).catch((error: unknown) => onError(error, exchange))
    waitUntil?.(settled)
  }
}

function printError(error: unknown): void {
  console.error(error)
}
