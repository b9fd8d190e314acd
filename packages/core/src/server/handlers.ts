import type { Handler } from '../exchange/exchange.ts'

/** A handler for each role (section 6). A request for a role without one is refused with FCGI_UNKNOWN_ROLE. */
export interface Handlers {
  /** Responds to HTTP requests (section 6.2). */
  responder?: Handler
  /** Decides whether the front server may serve a request (section 6.3). */
  authorizer?: Handler
  /** Responds with a file of the front server after processing it (section 6.4). */
  filter?: Handler
}

/** Returns the handlers of a server. A single function is the responder. Throws a TypeError unless there is at least one function. */
export function toHandlers(handler: Handler | Handlers): Handlers {
  if (typeof handler === 'function') return { responder: handler }
  const { responder, authorizer, filter } = handler ?? {}
  const given = [responder, authorizer, filter].filter((one) => one !== undefined)
  if (given.length === 0 || given.some((one) => typeof one !== 'function')) {
    throw new TypeError(
      'The handler must be a function (exchange) => …, or { responder, authorizer, filter } with functions.',
    )
  }
  return handler
}
