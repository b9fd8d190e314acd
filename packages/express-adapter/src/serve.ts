import { type FastCgiServer, type ServeOptions, serve as serveHandler } from '@fcgi-bridge/core'
import { updateExpressEnv } from './express-env.ts'
import { type RequestListener, toHandler } from './handler.ts'

/**
 * Runs an app as this program's FastCGI server. Where `options` do not say where to listen, whoever started the process
 * does: systemd, a front server through fd 0, CGI, or the variable FCGI_BRIDGE_LISTEN.
 *
 * ```js
 * serve(app)
 * serve(app, { port: 9000, host: '127.0.0.1' })
 * const server = await serve(app, { path: '/run/app.sock', mode: 0o660 })
 * ```
 *
 * Where a front server started the program (fd 0, CGI) and NODE_ENV is not set, it is set to `production`, also for an Express
 * app that was made before.
 *
 * Settles with the server when it listens; where nobody awaits that, a failure ends the program with a message. Throws a
 * TypeError if `app` is no request listener.
 */
export function serve(app: RequestListener, options?: ServeOptions): Promise<FastCgiServer> {
  const before = process.env.NODE_ENV
  const serving = serveHandler(toHandler(app), options)
  if (process.env.NODE_ENV !== before) updateExpressEnv(app)
  return serving
}
