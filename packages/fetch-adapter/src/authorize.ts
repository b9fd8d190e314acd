import type { Exchange, Handler } from '@fcgi-bridge/core'
import { requestOf, whenSettled } from './handler.ts'
import { observable } from './observable.ts'
import { createContext, type FetchContext } from './request/context.ts'
import { discardBody } from './response/body-source.ts'
import { sendResponse } from './response/send-response.ts'
import { isResponseLike, listHeaders, type ResponseLike } from './response-like.ts'

/** The decision of an {@link AuthorizeHandler}. */
export type Authorization = Response | boolean

/**
 * Decides, in the role of an authorizer (FastCGI 1.0 section 6.3), whether the front server may serve a request. The request has no body.
 *
 * - `true`, or a Response with status 200, grants access. The app that then responds gets each header `Variable-NAME` as the param `NAME`.
 * - `false` denies access with a 403.
 * - A Response with any other status denies access and is sent to the client.
 * - If the handler throws, rejects or returns anything else, access is denied with a 500.
 */
export type AuthorizeHandler = (
  request: Request,
  context: FetchContext,
  executionContext: FetchContext,
) => Authorization | PromiseLike<Authorization>

/** Turns an authorize handler into a handler for `createServer({ authorizer })` of `@fcgi-bridge/core`. */
export function toAuthorizer(authorize: AuthorizeHandler): Handler {
  return observable((exchange) => {
    const context = createContext(exchange)
    const request = requestOf(exchange, context)
    if (request === undefined) return
    whenSettled(exchange, authorize(request, context, context), decide)
  })
}

function decide(exchange: Exchange, authorization: unknown): void {
  if (exchange.ended) {
    discardBody(authorization, exchange.signal.reason)
    return
  }
  try {
    if (authorization === true) {
      grant(exchange, [])
    } else if (authorization === false) {
      deny(exchange)
    } else if (!isResponseLike(authorization)) {
      throw new TypeError(
        `The authorize handler returned ${String(authorization)}, so access is denied. Return true, false or a Response.`,
      )
    } else if (authorization.status === 200) {
      grant(exchange, listVariables(authorization))
      discardBody(authorization, undefined)
    } else {
      sendResponse(exchange, authorization)
    }
  } catch (error) {
    exchange.fail(error)
  }
}

function grant(exchange: Exchange, variables: readonly string[]): void {
  exchange.writeHead(200, variables)
  exchange.end()
}

function deny(exchange: Exchange): void {
  exchange.writeHead(403, ['content-type', 'text/plain; charset=utf-8'])
  exchange.end('403 Forbidden\n')
}

const VARIABLE = 'variable-'

// The front server must ignore other headers (section 6.3), but mod_fcgid sends them to the client. The names of params are in upper case.
// `Headers` converts names to lower case, and front servers keep the case that they get, so the name is converted back.
function listVariables(response: ResponseLike): string[] {
  const variables: string[] = []
  const headers = listHeaders(response.headers)
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name.startsWith(VARIABLE)) {
      variables.push(`Variable-${name.slice(VARIABLE.length).toUpperCase()}`, headers[i + 1]!)
    }
  }
  return variables
}
