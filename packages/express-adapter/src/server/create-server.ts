import { type ServerOptions as NodeServerOptions, Server } from 'node:http'
import { isServeOption, type ServeOptions, type ServerOptions, serve } from '@fcgi-bridge/core'
import { updateExpressEnv } from '../express-env.ts'
import type { RequestListener } from '../listener.ts'
import { serverToHandler } from './dispatch.ts'
import { HttpListening, setListening } from './http-listening.ts'
import { removeTimer } from './node-listeners.ts'
import { captureRejections, emitClientError, onErrorOf } from './server-errors.ts'

/**
 * Options of {@link createServer}: those of a FastCGI server, and those of `http.createServer`, of which `IncomingMessage` and
 * `ServerResponse` have an effect. `requestTimeout` is Node's, and has none: the front server receives the request.
 */
export interface HttpServerOptions
  extends Omit<NodeServerOptions, 'requestTimeout'>,
    Omit<ServerOptions, 'requestTimeout'> {
  requestTimeout?: number | undefined
}

/**
 * Makes an `http.Server` whose `listen()` serves FastCGI, for frameworks and tools that want a server to call `listen()` and
 * `close()` of:
 *
 * ```js
 * const server = createServer(app)
 * server.listen(9000) // 127.0.0.1
 * server.listen('/run/app.sock')
 * server.listen({ fd: 3 })
 * server.listen() // where the process that started this one says
 * ```
 *
 * It has the methods, properties and events of `http.Server`. To the app, each request has a connection of its own: 'connection'
 * passes `req.socket`. `close()` lets running requests finish, for at most `drainTimeout`. `listen()` without a place handles
 * signals that the program does not handle itself, and uncaught exceptions, as `serve` does.
 *
 * Options that are out of range are an 'error' of `listen()`.
 */
export function createServer(
  options?: HttpServerOptions | RequestListener,
  listener?: RequestListener,
): Server {
  const given = typeof options === 'function' ? {} : (options ?? {})
  const onRequest = typeof options === 'function' ? options : listener
  const server = new Server(given as NodeServerOptions, onRequest)
  serveFastCgi(server, fastCgiOptions(given))
  return server
}

// Frameworks pass their own options as well.
function fastCgiOptions(options: HttpServerOptions): ServerOptions {
  const own = Object.entries(options).filter(
    ([name]) => isServeOption(name) && !NOT_OF_THE_SERVER.includes(name),
  )
  return Object.fromEntries(own)
}

const NOT_OF_THE_SERVER: readonly string[] = [
  ...['port', 'host', 'path', 'mode', 'fd', 'signal', 'onListen', 'handleSignals', 'handleExceptions'],
  'requestTimeout',
]

/** Makes `listen()` of an `http.Server` serve FastCGI. */
function serveFastCgi(server: Server, options: ServerOptions): void {
  removeTimer(server)
  captureRejections(server)
  const handler = serverToHandler(server)
  const listening = new HttpListening(server, async (place) => {
    const isProgram = place === undefined
    const { maxConnections = options.maxConnections } = server
    const before = process.env.NODE_ENV
    const starting = serve(handler, {
      ...options,
      ...(maxConnections !== undefined && { maxConnections }),
      ...place,
      onError: onErrorOf(server, options.onError),
      handleSignals: isProgram && 'unless-handled',
      handleExceptions: isProgram,
    } as ServeOptions)
    if (process.env.NODE_ENV !== before) {
      for (const listener of server.listeners('request')) updateExpressEnv(listener as RequestListener)
    }
    const fcgi = await starting
    fcgi.on('protocolError', (error) => emitClientError(server, error))
    return fcgi
  })
  setListening(server, listening)
}
