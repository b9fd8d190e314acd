import type { Exchange } from '@fcgi-bridge/core'
import { type HttpServerEvents, RequestMessage } from '@fcgi-bridge/core/monitoring'
import { ClientSocket } from './client-socket.ts'
import { IncomingRequest } from './incoming-request.ts'
import { ObservedExchange } from './observed-exchange.ts'
import { OutgoingResponse } from './outgoing-response.ts'

/**
 * Makes an exchange visible to monitoring tools. Creates a request and a response, publishes the diagnostics messages of node:http, and emits
 * 'request'. The listener of `events` then passes an {@link ObservedExchange} to the app.
 */
export function observe(exchange: Exchange, events: HttpServerEvents): void {
  const socket = new ClientSocket(exchange)
  const request = new IncomingRequest(socket, exchange)
  const response = new OutgoingResponse(request, exchange)
  request.exchange = new ObservedExchange(exchange, request, response, socket)
  const message = new RequestMessage(request, response, socket)
  events.publishStart(message)
  response.attach(socket)
  response.on('finish', () => {
    events.publishFinish(message)
    response.detach(socket)
    process.nextTick(() => {
      response.close()
      request.finish()
    })
  })
  events.emitRequest(request, response)
}
