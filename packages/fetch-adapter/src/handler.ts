import type { Exchange, Handler } from '@fcgi-bridge/core'
import { ExchangeContext, type FetchContext } from './context.ts'
import { overrideGlobalObjects } from './light/override.ts'
import { createLightRequest } from './light/request.ts'
import { observable } from './observable.ts'
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

/** Options of {@link toHandler}. */
export interface FetchHandlerOptions {
  /**
   * Default false. True makes a request cost a fraction: the global `Request`, `Response` and `fetch` are replaced, for as
   * long as the process lives, by ones whose objects build what is costly of them only when somebody asks for it.
   * They are of the platform's own prototypes, and behave as the Fetch standard says.
   */
  overrideGlobalObjects?: boolean
}

/**
 * Makes a core handler of a fetch handler, for `createServer` of `@fcgi-bridge/core`: as responder, or as filter. What
 * `fetch` throws or rejects with is a 500 that says nothing of it, and goes to the error log and to `onError`.
 */
export function toHandler(fetch: FetchHandler, options: FetchHandlerOptions = {}): Handler {
  if (options.overrideGlobalObjects) overrideGlobalObjects()
  const makeRequest = options.overrideGlobalObjects ? createLightRequest : standardRequest
  return observable((exchange) => {
    const request = requestOf(exchange, makeRequest)
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
  })
}

/** The exchange's Request; undefined where no Request can be made of it, which is then answered. */
export function requestOf(
  exchange: Exchange,
  makeRequest: (exchange: Exchange) => Request = standardRequest,
): Request | undefined {
  const { method } = exchange
  if (method === 'GET' || method === 'POST' || !UNSUPPORTED_METHODS.test(method)) return makeRequest(exchange)
  // RFC 9110 section 15.6.2: not supported for any resource. It is no failure of the app's.
  exchange.writeHead(501, ['content-type', 'text/plain; charset=utf-8'])
  exchange.end('501 Not Implemented\n')
  return undefined
}

function standardRequest(exchange: Exchange): Request {
  return exchange.request
}

// Fetch section 2.2.1: the forbidden methods. The Request constructor throws for them.
const UNSUPPORTED_METHODS = /^(?:connect|trace|track)$/i

export function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}
