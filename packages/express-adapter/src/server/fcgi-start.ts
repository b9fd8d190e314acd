import type { Server } from 'node:http'
import { type FastCgiServer, type ServeOptions, type ServerOptions, serve } from '@fcgi-bridge/core'
import { updateExpressEnv } from '../app/express-env.ts'
import type { RequestListener } from '../app/listener.ts'
import { serverToHandler } from './dispatch.ts'
import type { StartListening } from './http-listening.ts'
import { removeTimer } from './node-listeners.ts'
import { captureRejections, emitClientError, onErrorOf } from './server-errors.ts'

/**
 * Prepares an `http.Server` for FastCGI, and returns a function that starts it. If the function gets no address, it takes over the
 * process as `serve` does: it sets NODE_ENV, and handles uncaught exceptions and the signals for which the program has no listener.
 */
export function prepareFastCgi(server: Server, options: ServerOptions): StartListening {
  removeTimer(server)
  captureRejections(server)
  const handler = serverToHandler(server)
  return async (place, backlog): Promise<FastCgiServer> => {
    const isProgram = place === undefined
    const { maxConnections = options.maxConnections } = server
    const before = process.env.NODE_ENV
    const starting = serve(handler, {
      ...options,
      ...(maxConnections !== undefined && { maxConnections }),
      ...(place ?? (backlog !== undefined && { backlog })),
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
  }
}
