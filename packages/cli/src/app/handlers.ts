import type { Handler, Handlers } from '@fcgi-bridge/core'
import type { App } from './recognize.ts'

/**
 * Converts an app to core's handlers. Loads only the adapter that the app needs. `overrideGlobalObjects` is the option of the fetch adapter.
 */
export async function loadHandlers(app: App, overrideGlobalObjects: boolean): Promise<Handlers> {
  if (app.kind === 'listener') {
    const { toHandler } = await import('@fcgi-bridge/express-adapter')
    return { responder: toHandler(app.listener) }
  }
  const { toAuthorizer, toHandler } = await import('@fcgi-bridge/fetch-adapter')
  const handlers: Handlers = {}
  if (app.fetch !== undefined) {
    handlers.responder = toHandler(app.fetch, { overrideGlobalObjects })
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
