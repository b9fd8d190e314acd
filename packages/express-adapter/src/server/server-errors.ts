import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import { Socket } from 'node:net'
import { RequestError, type ServerOptions } from '@fcgi-bridge/core'
import { ExchangeSocket } from '../socket/exchange-socket.ts'

/** Emits 'clientError' for an error that the front server or its client caused. As in Node, listeners get the socket. It is closed. */
export function emitClientError(server: Server, error: Error): void {
  if (server.listenerCount('clientError') === 0) return
  const socket = new Socket()
  socket.destroy()
  server.emit('clientError', error, socket)
}

/** The option `onError` of a server that emits 'clientError' for each request that was refused. */
export function onErrorOf(
  server: Server,
  onError: ServerOptions['onError'],
): NonNullable<ServerOptions['onError']> {
  return (error, exchange) => {
    if (error instanceof RequestError) emitClientError(server, error)
    if (onError !== undefined) return onError(error, exchange)
    // As core does by default: after the end of its request, an error cannot be written to FCGI_STDERR.
    if (exchange.ended && !(error instanceof RequestError)) console.error(error)
  }
}

/** Fails a request whose listener rejects: a 500, as if the listener threw. Other rejections stay unhandled. */
export function captureRejections(server: Server): void {
  // EventEmitter's constructor keeps the listeners that were added before.
  ;(EventEmitter as unknown as (this: Server, options: object) => void).call(server, {
    captureRejections: true,
  })
  Object.defineProperty(server, EventEmitter.captureRejectionSymbol, {
    configurable: true,
    writable: true,
    value(error: Error, event: string | symbol, request?: IncomingMessage): void {
      const socket: unknown = REQUEST_EVENTS.includes(event) ? request?.socket : undefined
      if (socket instanceof ExchangeSocket) socket.fail(error)
      else void Promise.reject(error)
    },
  })
}

const REQUEST_EVENTS: readonly (string | symbol)[] = ['request', 'checkContinue', 'checkExpectation']
