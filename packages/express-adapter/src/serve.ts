import { type FastCgiServer, type ServeOptions, serve as serveHandler } from '@fcgi-bridge/core'
import { updateExpressEnv } from './app/express-env.ts'
import { type FrameworkApp, recognizeFramework } from './app/framework.ts'
import type { RequestListener } from './app/listener.ts'
import { listenerToHandler } from './handler.ts'

/**
 * Runs an app as this program's FastCGI server. `app` is a listener, an Express or connect app, an `http.Server` that does not
 * listen, or a Koa, Fastify, NestJS or hapi app. Where `options` do not say where to listen, the one that started the process
 * does: systemd, a front server through fd 0, CGI, or the variable FCGI_BRIDGE_LISTEN.
 *
 * ```js
 * serve(app)
 * serve(app, { port: 9000, host: '127.0.0.1' })
 * const server = await serve(app, { path: '/run/app.sock', mode: 0o660 })
 * ```
 *
 * If a front server started the program (fd 0, CGI) and NODE_ENV is not set, it is set to `production`, also for an Express app that
 * was made before.
 *
 * An app that has to start (Fastify, NestJS, hapi) is started first. Settles with the server when it listens; where nobody
 * awaits that, a failure ends the program with a message. Throws a TypeError if `app` is none of these, and rejects if it fails to
 * start, or is an `http.Server` that listens already.
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
