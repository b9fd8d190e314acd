import type { Handler, Handlers } from '@fcgi-bridge/core'
import { toHandler as listenerToHandler } from '@fcgi-bridge/express-adapter'
import { toHandler as fetchToHandler, toAuthorizer } from '@fcgi-bridge/fetch-adapter'
import type { App } from './recognize.ts'

/** How an app's handlers are made. */
export interface HandlersOptions {
  /** Replace the global `Request`, `Response` and `fetch` if the app is a fetch handler. Default: false. */
  overrideGlobalObjects?: boolean | undefined
  /** Wraps each handler, for example to log its requests. */
  wrap?: ((handler: Handler) => Handler) | undefined
}

/** Converts an app to core's handlers. */
export function handlersOf(
  app: App,
  { overrideGlobalObjects = false, wrap = (handler) => handler }: HandlersOptions = {},
): Handlers {
  if (app.kind === 'listener') {
    const responder = wrap(listenerToHandler(app.listener))
    return { responder }
  }
  const handlers: Handlers = {}
  if (app.fetch !== undefined) {
    handlers.responder = wrap(fetchToHandler(app.fetch, { overrideGlobalObjects }))
    handlers.filter = handlers.responder
  }
  if (app.authorize !== undefined) handlers.authorizer = wrap(toAuthorizer(app.authorize))
  return handlers
}
