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
 * Runs a fetch handler as this program's FastCGI server.
 *
 * ```js
 * serve({ fetch: (request, context) => new Response('hello') })
 * serve({ fetch: app.fetch, authorize, path: '/run/app.sock', mode: 0o660 })
 * serve(app, { port: 9000, host: '127.0.0.1' })
 * serve(await import('./app.js'))
 * ```
 *
 * Without `port`, `path` and `fd` the program that started the process says where to listen: systemd, a front server through
 * fd 0, CGI, or the variable FCGI_BRIDGE_LISTEN. Settles with the server when it listens. If nobody awaits that, a failure
 * ends the program with a message. Rejects with a TypeError for an unknown option, and if there is no fetch handler in `app`: apps of
 * node:http (Express, Koa, Fastify) are served by `@fcgi-bridge/express-adapter`.
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
