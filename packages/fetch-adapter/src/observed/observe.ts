import { AsyncResource } from 'node:async_hooks'
import { type Exchange, ExchangeError, type WriteCallback } from '@fcgi-bridge/core'
import { type HiddenServer, RequestMessage } from '@fcgi-bridge/core/monitoring'
import { setIncoming } from '../observed-incoming.ts'
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
  const observation = new Observation(exchange, socket)
  const response = new OutgoingResponse(request, exchange, observation)
  observation.response = response
  const message = new RequestMessage(request, response, socket)
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
  sendThrough(observation)
  server.emitRequest(request, response)
}

type Methods = Pick<Exchange, 'writeHead' | 'write' | 'flush' | 'end' | 'fail'>

type Hook = ((reason: ExchangeError) => void) | undefined

/** What an exchange is observed with, and its own methods and hooks. */
class Observation implements ResponseSender {
  readonly exchange: Exchange
  readonly #methods: Methods
  readonly socket: ClientSocket
  response!: OutgoingResponse
  onDrain: Hook
  onAbort: Hook
  /** Something of the response may have gone out. */
  sent = false

  constructor(exchange: Exchange, socket: ClientSocket) {
    this.exchange = exchange
    this.socket = socket
    const { writeHead, write, flush, end, fail } = exchange
    this.#methods = { writeHead, write, flush, end, fail }
    this.onDrain = exchange.onDrain
    this.onAbort = exchange.onAbort
  }

  writeHead(status: number, headers: readonly string[] | undefined, reason: string | undefined): void {
    this.#methods.writeHead.call(this.exchange, status, headers, reason)
  }

  write(chunk: Uint8Array | string, callback: WriteCallback | undefined): boolean {
    this.sent = true
    return this.#methods.write.call(this.exchange, chunk, callback)
  }

  flush(): void {
    this.sent ||= this.exchange.headSent
    this.#methods.flush.call(this.exchange)
  }

  end(chunk: Uint8Array | string | undefined, callback: WriteCallback | undefined): void {
    this.#methods.end.call(this.exchange, chunk, callback)
  }

  fail(error: unknown): void {
    const { aborted, ended, role } = this.exchange
    this.#methods.fail.call(this.exchange, error)
    if (aborted || ended) return
    if (this.sent && role !== 'authorizer') {
      this.socket.destroy()
    } else {
      // Core sends this status instead of what the app was about to send.
      this.response.statusCode = statusOf(error)
      this.response.end()
    }
  }
}

const kObservation: unique symbol = Symbol('observation')

interface Observed extends Exchange {
  [kObservation]: Observation
}

// Replaces the methods of the exchange, because that is where the response passes: core calls them, too. No function is made for an
// exchange: V8 puts one that is assigned to a property among the old objects, with all that it refers to.
function sendThrough(observation: Observation): void {
  const exchange = observation.exchange as Observed
  exchange[kObservation] = observation
  exchange.writeHead = writeHead
  exchange.write = write
  exchange.flush = flush
  exchange.end = end
  exchange.fail = fail
  Object.defineProperties(exchange, HOOKS)
}

function writeHead(this: Exchange, status: number, headers: readonly string[] = [], reason = ''): void {
  if (this.ended) return
  const { response } = (this as Observed)[kObservation]
  if (reason === '') response.writeHead(status, [...headers])
  else response.writeHead(status, reason, [...headers])
}

function write(this: Exchange, chunk: Uint8Array | string, callback?: WriteCallback): boolean {
  const observation = (this as Observed)[kObservation]
  if (this.ended || observation.response.writableEnded) return observation.write(chunk, callback)
  return observation.response.write(chunk, callback as ((error?: Error | null) => void) | undefined)
}

function flush(this: Exchange): void {
  ;(this as Observed)[kObservation].flush()
}

function end(this: Exchange, chunk?: Uint8Array | string, callback?: WriteCallback): void {
  const observation = (this as Observed)[kObservation]
  if (this.ended || observation.response.writableEnded) observation.end(chunk, callback)
  else observation.response.endWith(chunk, callback)
}

function fail(this: Exchange, error: unknown): void {
  ;(this as Observed)[kObservation].fail(error)
}

function callDrain(this: Exchange, reason: ExchangeError): void {
  const { onDrain, response } = (this as Observed)[kObservation]
  try {
    onDrain?.(reason)
  } finally {
    response.emit('drain')
  }
}

function callAbort(this: Exchange, reason: ExchangeError): void {
  const { onAbort, socket } = (this as Observed)[kObservation]
  try {
    onAbort?.(reason)
  } finally {
    socket.destroy()
  }
}

// What the adapter sets as a hook runs in the context of the code that sets it, as tools bind the listeners of a response.
const HOOKS: PropertyDescriptorMap & ThisType<Observed> = {
  onDrain: {
    configurable: true,
    get: () => callDrain,
    set(hook: Hook) {
      this[kObservation].onDrain = hook && AsyncResource.bind(hook)
    },
  },
  onAbort: {
    configurable: true,
    get: () => callAbort,
    set(hook: Hook) {
      this[kObservation].onAbort = hook && AsyncResource.bind(hook)
    },
  },
}

// As core has it: a request body that is too long, or not as long as announced, is the client's fault.
function statusOf(error: unknown): number {
  return error instanceof ExchangeError && /^FCGI_ERR_BODY_(?:LENGTH|TOO_LARGE)$/.test(error.code)
    ? error.status
    : 500
}
