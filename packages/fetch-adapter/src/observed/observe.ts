import { AsyncResource } from 'node:async_hooks'
import { type Exchange, ExchangeError, type WriteCallback } from '@fcgi-bridge/core'
import type { HiddenServer } from '@fcgi-bridge/core/monitoring'
import { setIncoming } from '../observable.ts'
import { ClientSocket } from './client-socket.ts'
import { IncomingRequest } from './incoming-request.ts'
import { assignSocket, detachSocket, OutgoingResponse, type ResponseSender } from './outgoing-response.ts'

/**
 * Shows an exchange to monitoring tools as node:http would: makes a request and a response, leads through the response what the
 * handler sends with the exchange, and emits 'request' on `server`, whose listener calls the handler.
 */
export function observe(exchange: Exchange, server: HiddenServer): void {
  const socket = new ClientSocket(exchange)
  const request = new IncomingRequest(socket, exchange)
  setIncoming(exchange, request)
  const sender = new Sender(exchange)
  const response = new OutgoingResponse(request, exchange, sender)
  const message = { request, response, socket }
  server.publishStart(message)
  assignSocket(response, socket)
  response.on('finish', () => {
    server.publishFinish(message)
    detachSocket(response, socket)
    request.finish()
    process.nextTick(() => response.close())
  })
  // Before the response, whose own listener for 'close' is there already.
  socket.prependListener('close', () => {
    if (!response.writableFinished) request.abort()
  })
  sendThrough(exchange, response, socket, sender)
  server.emitRequest(request, response)
}

/** The exchange's own methods, before they lead through the response. */
class Sender implements ResponseSender {
  readonly #exchange: Exchange
  readonly #methods: Pick<Exchange, 'writeHead' | 'write' | 'flush' | 'end'>
  /** Something of the response may have gone out. */
  sent = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    const { writeHead, write, flush, end } = exchange
    this.#methods = { writeHead, write, flush, end }
  }

  writeHead(status: number, headers: readonly string[] | undefined, reason: string | undefined): void {
    this.#methods.writeHead.call(this.#exchange, status, headers, reason)
  }

  write(chunk: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    this.sent = true
    return this.#methods.write.call(this.#exchange, chunk, callback)
  }

  flush(): void {
    this.sent ||= this.#exchange.headSent
    this.#methods.flush.call(this.#exchange)
  }

  end(chunk: Uint8Array | string | undefined, callback: WriteCallback | undefined): void {
    this.#methods.end.call(this.#exchange, chunk, callback)
  }
}

// Replaces the methods of the exchange, because that is where the response passes: core calls them, too.
function sendThrough(
  exchange: Exchange,
  response: OutgoingResponse,
  socket: ClientSocket,
  sender: Sender,
): void {
  const { fail } = exchange
  exchange.writeHead = (status, headers = [], reason = '') => {
    if (exchange.ended) return
    if (reason === '') response.writeHead(status, [...headers])
    else response.writeHead(status, reason, [...headers])
  }
  exchange.write = (chunk, callback) => {
    if (exchange.ended || response.writableEnded) return sender.write(chunk, callback)
    return response.write(chunk, callback as ((error?: Error | null) => void) | undefined)
  }
  exchange.flush = () => sender.flush()
  exchange.end = (chunk, callback) => {
    if (exchange.ended || response.writableEnded) sender.end(chunk, callback)
    else response.endWith(chunk, callback)
  }
  exchange.fail = (error) => {
    const { aborted, ended } = exchange
    fail.call(exchange, error)
    if (aborted || ended) return
    if (sender.sent && exchange.role !== 'authorizer') {
      socket.destroy()
    } else {
      // Core sends this status instead of what the app was about to send.
      response.statusCode = statusOf(error)
      response.end()
    }
  }
  inContext(exchange, 'onDrain', () => response.emit('drain'))
  inContext(exchange, 'onAbort', () => socket.destroy())
}

// Runs what the adapter sets as the hook in the context of the code that sets it, as tools bind the listeners of a response;
// then `after`.
function inContext(exchange: Exchange, name: 'onDrain' | 'onAbort', after: () => void): void {
  let hook: ((reason: ExchangeError) => void) | undefined = exchange[name]
  const call = (reason: ExchangeError): void => {
    try {
      hook?.(reason)
    } finally {
      after()
    }
  }
  Object.defineProperty(exchange, name, {
    configurable: true,
    get: () => call,
    set: (value: typeof hook) => {
      hook = value && AsyncResource.bind(value)
    },
  })
}

// As core has it: a request body that is too long, or not as long as announced, is the client's fault.
function statusOf(error: unknown): number {
  return error instanceof ExchangeError && /^FCGI_ERR_BODY_(?:LENGTH|TOO_LARGE)$/.test(error.code)
    ? error.status
    : 500
}
