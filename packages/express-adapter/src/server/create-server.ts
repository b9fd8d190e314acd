import { type ServerOptions as NodeServerOptions, Server } from 'node:http'
import { isServeOption, type ServerOptions } from '@fcgi-bridge/core'
import type { RequestListener } from '../app/listener.ts'
import { prepareFastCgi } from './fcgi-start.ts'
import { HttpListening, setListening } from './http-listening.ts'

/**
 * Options of {@link createServer}: those of a FastCGI server, and those of `http.createServer`. Of the latter, only `IncomingMessage` and
 * `ServerResponse` have an effect. `requestTimeout` is Node's option and has no effect, because the front server receives the request.
 */
export interface HttpServerOptions
  extends Omit<NodeServerOptions, 'requestTimeout'>,
    Omit<ServerOptions, 'requestTimeout'> {
  requestTimeout?: number | undefined
}

/**
 * Creates an `http.Server` whose `listen()` serves FastCGI, for frameworks and tools that call `listen()` and `close()` of a server:
 *
 * ```js
 * const server = createServer(app)
 * server.listen(9000) // 127.0.0.1
 * server.listen('/run/app.sock')
 * server.listen({ fd: 3 })
 * server.listen() // where systemd, the front server or FCGI_BRIDGE_LISTEN says
 * ```
 *
 * It has the methods, properties and events of `http.Server`. The app sees each request on its own connection: 'connection'
 * passes `req.socket`. `close()` lets running requests finish, for at most `drainTimeout`. `listen()` without an address handles
 * uncaught exceptions, and signals for which the program has no listener, as `serve` does.
 *
 * If an option is out of range, `listen()` emits 'error'.
 */
export function createServer(
  options?: HttpServerOptions | RequestListener,
  listener?: RequestListener,
): Server {
  const given = typeof options === 'function' ? {} : (options ?? {})
  const onRequest = typeof options === 'function' ? options : listener
  const server = new Server(given as NodeServerOptions, onRequest)
  setListening(server, new HttpListening(server, prepareFastCgi(server, fastCgiOptions(given))))
  return server
}

// Ignores other options, because frameworks pass their own options as well.
function fastCgiOptions(options: HttpServerOptions): ServerOptions {
  const own = Object.entries(options).filter(
    ([name]) => isServeOption(name) && !EXCLUDED_OPTIONS.includes(name),
  )
  return Object.fromEntries(own)
}

// Options of `serve` that a server does not have, and `requestTimeout`, which is Node's option here.
const EXCLUDED_OPTIONS: readonly string[] = [
  ...['port', 'host', 'path', 'mode', 'fd', 'signal', 'onListen', 'handleSignals', 'handleExceptions'],
  ...['requestTimeout', 'backlog', 'reusePort', 'shared', 'restartFiles'],
]
