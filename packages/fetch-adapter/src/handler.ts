import type { Exchange, Handler } from '@fcgi-bridge/core'
import { overrideGlobalObjects } from './light/override.ts'
import { createLightRequest } from './light/request.ts'
import { nodeAppError, nodeAppKind } from './node-app.ts'
import { observable } from './observable.ts'
import { createContext, type FetchContext } from './request/context.ts'
import { addServerMembers } from './request/server-members.ts'
import { sendResponse } from './response/send-response.ts'

/**
 * Responds to a Request. The third argument is the context again: apps written for Workers look for `waitUntil` there (Hono's
 * `c.executionCtx`).
 */
export type FetchHandler = (
  request: Request,
  context: FetchContext,
  executionContext: FetchContext,
) => Response | PromiseLike<Response>

/** Options of {@link toHandler}. */
export interface FetchHandlerOptions {
  /**
   * Replaces the global `Request`, `Response` and `fetch` until the process ends. Default: true in `serve`, false in {@link toHandler}. A
   * request then takes a fraction of the CPU time, because the new objects build their expensive parts on first use. They have the
   * platform's prototypes, and behave as the Fetch standard says. On Bun and Deno it has no effect.
   */
  overrideGlobalObjects?: boolean
}

/**
 * Turns a fetch handler into a handler for `createServer` of `@fcgi-bridge/core`, as responder or as filter. If `fetch` throws or rejects,
 * the response is a 500 without detail, and the error goes to the error log and to `onError`. Throws a TypeError for apps of
 * node:http (Express, Koa, Fastify), and for an unknown option.
 */
export function toHandler(fetch: FetchHandler, options: FetchHandlerOptions = {}): Handler {
  checkArguments(fetch, options)
  const isLight = options.overrideGlobalObjects === true && overrideGlobalObjects()
  const makeRequest = isLight ? createLightRequest : standardRequest
  return observable((exchange) => {
    const context = createContext(exchange)
    const request = requestOf(exchange, context, makeRequest)
    if (request === undefined) return
    whenSettled(exchange, fetch(request, context, context), sendResponse)
  })
}

/** Gives `respond` the result of a handler, at once or when its promise resolves. A rejection fails the exchange. */
export function whenSettled<T>(
  exchange: Exchange,
  result: T | PromiseLike<T>,
  respond: (exchange: Exchange, value: T) => void,
): void {
  if (isPromiseLike(result)) {
    result.then(
      (value) => respond(exchange, value),
      (error: unknown) => exchange.fail(error),
    )
  } else {
    respond(exchange, result)
  }
}

function checkArguments(fetch: unknown, options: object): void {
  const kind = nodeAppKind(fetch)
  if (kind !== undefined) throw nodeAppError(kind)
  if (typeof fetch !== 'function') {
    throw new TypeError('toHandler() takes a function (request) => Response. Pass app.fetch, not the app.')
  }
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'overrideGlobalObjects') {
      throw new TypeError(`toHandler() has no option ${JSON.stringify(name)}, only overrideGlobalObjects.`)
    }
    if (value !== undefined && typeof value !== 'boolean') {
      throw new TypeError(`The option overrideGlobalObjects must be true or false, not ${String(value)}.`)
    }
  }
}

/** Returns the Request of an exchange. If no Request can have its method, responds with a 501 and returns undefined. */
export function requestOf(
  exchange: Exchange,
  context: FetchContext,
  makeRequest: (exchange: Exchange, context: FetchContext) => Request = standardRequest,
): Request | undefined {
  const { method } = exchange
  if (method === 'GET' || method === 'POST' || !UNSUPPORTED_METHODS.test(method))
    return makeRequest(exchange, context)
  // RFC 9110 section 15.6.2: the server does not support this method for any resource. This is not an error of the app.
  exchange.writeHead(501, ['content-type', 'text/plain; charset=utf-8'])
  exchange.end('501 Not Implemented\n')
  return undefined
}

function standardRequest(exchange: Exchange, context: FetchContext): Request {
  const { request } = exchange
  addServerMembers(request, { exchange, context })
  return request
}

// The forbidden methods (Fetch section 2.2.1). The Request constructor throws for them.
const UNSUPPORTED_METHODS = /^(?:connect|trace|track)$/i

function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}
