import { type FastCgiServer, type ServeOptions, serve as serveHandler } from '@fcgi-bridge/core'
import { type FrameworkApp, recognizeFramework } from './framework.ts'
import { listenerToHandler, type RequestListener } from './handler.ts'

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
 * An app that has to start (Fastify, NestJS, hapi) is started first. Settles with the server when it listens; where nobody
 * awaits that, a failure ends the program with a message. Throws a TypeError if `app` is none of these, and rejects if it fails to
 * start, or is an `http.Server` that listens already.
 */
export function serve(app: RequestListener | FrameworkApp, options?: ServeOptions): Promise<FastCgiServer> {
  const recognized = recognizeFramework(app)
  const handler = listenerToHandler(recognized?.listener ?? (app as RequestListener))
  if (recognized?.ready === undefined) return serveHandler(handler, options)
  return recognized.ready().then(() => serveHandler(handler, options))
}
