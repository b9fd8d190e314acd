import { type FastCgiServer, type ServeOptions, serve as serveHandler } from '@fcgi-bridge/core'
import { updateExpressEnv } from './app/express-env.ts'
import { type FrameworkApp, recognizeFramework } from './app/framework.ts'
import type { RequestListener } from './app/listener.ts'
import { listenerToHandler } from './handler.ts'

/**
 * Serves an app over FastCGI. `app` is a listener, an Express or connect app, an `http.Server` that does not listen, or a Koa, Fastify,
 * NestJS or hapi app. Without an address in `options` the server listens where the environment says: sockets from systemd, a listening
 * socket as fd 0 (a front server started the program), CGI, or the variable FCGI_BRIDGE_LISTEN.
 *
 * ```js
 * serve(app)
 * serve(app, { port: 9000, host: '127.0.0.1' })
 * const server = await serve(app, { path: '/run/app.sock', mode: 0o660 })
 * ```
 *
 * If a front server started the program (fd 0, CGI) and NODE_ENV is not set, `serve` sets it to `production`. This also applies to an
 * Express app that was created before.
 *
 * Fastify, NestJS and hapi apps are started first. The promise resolves with the server when it listens. If nobody handles its
 * rejection, the program ends with a message. Throws a TypeError if `app` is none of these. Rejects if the app fails to start, or is an
 * `http.Server` that already listens.
 */
export function serve(app: RequestListener | FrameworkApp, options?: ServeOptions): Promise<FastCgiServer> {
  const recognized = recognizeFramework(app)
  const listener = recognized?.listener ?? (app as RequestListener)
  const handler = listenerToHandler(listener)
  const start = (): Promise<FastCgiServer> => {
    const before = process.env.NODE_ENV
    const serving = serveHandler(handler, options)
    if (process.env.NODE_ENV !== before) updateExpressEnv(listener)
    return serving
  }
  return recognized?.ready === undefined ? start() : recognized.ready().then(start)
}
