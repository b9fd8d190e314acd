import { type FastCgiServer, type Handlers, serve as serveHandlers } from '@fcgi-bridge/core'
import {
  type AuthorizerApp,
  type FetchApp,
  type FetchModule,
  type FetchServeOptions,
  resolveApp,
} from './app.ts'
import { toAuthorizer } from './authorize.ts'
import { type FetchHandler, toHandler } from './handler.ts'

/**
 * Serves a fetch handler over FastCGI.
 *
 * ```js
 * serve({ fetch: (request, context) => new Response('hello') })
 * serve({ fetch: app.fetch, authorize, path: '/run/app.sock', mode: 0o660 })
 * serve(app, { port: 9000, host: '127.0.0.1' })
 * serve(await import('./app.js'))
 * ```
 *
 * Without `port`, `path` and `fd` the server listens where the environment says: sockets from systemd, a listening socket as fd 0 (a front
 * server started the program), CGI, or the variable FCGI_BRIDGE_LISTEN. The promise resolves with the server when it listens. If nobody
 * handles its rejection, the program ends with a message. Rejects with a TypeError for an unknown option, and if `app` has no fetch handler.
 *
 * The global `Request`, `Response` and `fetch` are replaced by cheaper ones that behave the same, unless `overrideGlobalObjects` is false.
 * `@fcgi-bridge/express-adapter` serves apps of node:http (Express, Koa, Fastify).
 */
export function serve(app: (FetchApp | AuthorizerApp) & FetchServeOptions): Promise<FastCgiServer>
export function serve(
  app: FetchApp | AuthorizerApp | FetchModule | FetchHandler,
  options?: FetchServeOptions,
): Promise<FastCgiServer>
export async function serve(app: unknown, options?: FetchServeOptions): Promise<FastCgiServer> {
  const { fetch, authorize, handlerOptions, options: serveOptions } = resolveApp(app, options)
  const handlers: Handlers = {}
  if (fetch !== undefined) {
    handlers.responder = toHandler(fetch, handlerOptions)
    handlers.filter = handlers.responder
  }
  if (authorize !== undefined) handlers.authorizer = toAuthorizer(authorize)
  return serveHandlers(handlers, serveOptions)
}
