import type { Handler, Handlers } from '@fcgi-bridge/core'
import { toHandler as listenerToHandler } from '@fcgi-bridge/express-adapter'
import { toHandler as fetchToHandler, toAuthorizer } from '@fcgi-bridge/fetch-adapter'
import type { App } from './recognize.ts'

/** Converts an app to core's handlers. `wrap` wraps each of them, for example to log its requests. */
export function handlersOf(app: App, wrap: (handler: Handler) => Handler = (handler) => handler): Handlers {
  if (app.kind === 'listener') {
    const responder = wrap(listenerToHandler(app.listener))
    return { responder }
  }
  const handlers: Handlers = {}
  if (app.fetch !== undefined) {
    handlers.responder = wrap(fetchToHandler(app.fetch))
    handlers.filter = handlers.responder
  }
  if (app.authorize !== undefined) handlers.authorizer = wrap(toAuthorizer(app.authorize))
  return handlers
}
