import type { Handler, Handlers } from '@fcgi-bridge/core'
import { toHandler as listenerToHandler } from '@fcgi-bridge/express-adapter'
import { toHandler as fetchToHandler, toAuthorizer } from '@fcgi-bridge/fetch-adapter'
import type { App } from './recognize.ts'

/** Converts an app to core's handlers. `overrideGlobalObjects` is the option of the fetch adapter. */
export function handlersOf(app: App, overrideGlobalObjects: boolean): Handlers {
  if (app.kind === 'listener') return { responder: listenerToHandler(app.listener) }
  const handlers: Handlers = {}
  if (app.fetch !== undefined) {
    handlers.responder = fetchToHandler(app.fetch, { overrideGlobalObjects })
    handlers.filter = handlers.responder
  }
  if (app.authorize !== undefined) handlers.authorizer = toAuthorizer(app.authorize)
  return handlers
}

/** Wraps each handler, for example to log its requests. */
export function wrapHandlers(handlers: Handlers, wrap: (handler: Handler) => Handler): Handlers {
  const wrapped: Handlers = {}
  for (const [role, handler] of Object.entries(handlers) as [keyof Handlers, Handler][]) {
    wrapped[role] = wrap(handler)
  }
  return wrapped
}
