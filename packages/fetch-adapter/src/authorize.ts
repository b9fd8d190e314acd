import type { Exchange, Handler } from '@fcgi-bridge/core'
import { requestOf, whenSettled } from './handler.ts'
import { observable } from './observable.ts'
import { createContext, type FetchContext } from './request/context.ts'
import { discardBody } from './response/body-source.ts'
import { sendResponse } from './response/send-response.ts'
import { isResponseLike, listHeaders, type ResponseLike } from './response-like.ts'

/** What an {@link AuthorizeHandler} decides. */
export type Authorization = Response | boolean

/**
 * Decides, in the role of an authorizer (section 6.3), whether the front server may serve a request; the request
 * has no body here.
 *
 * `true` grants, and so does a Response with status 200: of its headers those called `Variable-NAME` reach
 * the app that then answers, as the param `NAME`. `false` is a 403. A Response with any other status is sent to the
 * client instead. What throws, rejects, or gives anything else denies with a 500.
 */
export type AuthorizeHandler = (
  request: Request,
  context: FetchContext,
  executionContext: FetchContext,
) => Authorization | PromiseLike<Authorization>

/** Makes a core handler of an authorize handler, for `createServer({ authorizer })` of `@fcgi-bridge/core`. */
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
        `The authorize handler gave ${String(authorization)}, and access is denied. Return true, false or a Response.`,
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

// Other headers mean nothing to a front server that goes on (section 6.3), yet mod_fcgid hands them to the client. Headers
// lower-cases names, and front servers take a variable's name as it comes: params are in upper case.
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
