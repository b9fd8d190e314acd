import { AsyncResource } from 'node:async_hooks'
import { type Exchange, ExchangeError, type WriteCallback } from '@fcgi-bridge/core'
import type { WithIncoming } from '../observed-incoming.ts'
import type { ClientSocket } from './client-socket.ts'
import { ExchangeView } from './exchange-view.ts'
import type { IncomingRequest } from './incoming-request.ts'
import type { OutgoingResponse } from './outgoing-response.ts'

/**
 * The exchange that a handler gets while monitoring tools observe requests. It sends the response through the {@link OutgoingResponse} that
 * the tools see. Replacing the methods of the original exchange would cost more than this object.
 */
export class ObservedExchange extends ExchangeView implements Exchange, WithIncoming {
  readonly incoming: IncomingRequest
  readonly #response: OutgoingResponse
  readonly #socket: ClientSocket
  readonly #fail: Exchange['fail']
  #onDrain: Exchange['onDrain']
  #onAbort: Exchange['onAbort']

  constructor(
    exchange: Exchange,
    request: IncomingRequest,
    response: OutgoingResponse,
    socket: ClientSocket,
  ) {
    super(exchange)
    this.incoming = request
    this.#response = response
    this.#socket = socket
    this.#fail = exchange.fail
    this.#onDrain = exchange.onDrain
    this.#onAbort = exchange.onAbort
    // Create the closures separately: V8 pretenures closures assigned straight to a property, and each one would keep its request
    // alive until the next major collection.
    const fail: Exchange['fail'] = (error) => this.fail(error)
    const onDrain: Exchange['onDrain'] = () => this.#drained()
    const onAbort: Exchange['onAbort'] = (reason) => this.#aborted(reason)
    // Core calls `fail` when a hook throws.
    exchange.fail = fail
    exchange.onDrain = onDrain
    exchange.onAbort = onAbort
  }

  override get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  writeHead(status: number, headers: readonly string[] = [], reason = ''): void {
    if (this.ended) return
    this.#response.setHead(status, headers, reason)
  }

  write(chunk: Uint8Array | string, callback?: WriteCallback): boolean {
    if (this.ended || this.#response.writableEnded) return this.exchange.write(chunk, callback)
    return this.#response.write(chunk, callback as ((error?: Error | null) => void) | undefined)
  }

  flush(): void {
    this.#response.flushHead()
  }

  end(chunk?: Uint8Array | string, callback?: WriteCallback): void {
    if (this.ended || this.#response.writableEnded) this.exchange.end(chunk, callback)
    else this.#response.endWith(chunk, callback)
  }

  fail(error: unknown): void {
    const { aborted, ended, role } = this
    this.#fail.call(this.exchange, error)
    if (aborted || ended) return
    if (this.#response.started && role !== 'authorizer') {
      this.#socket.destroy()
    } else {
      // Core sends its own response with this status, not the app's.
      this.#response.statusCode = statusOf(error)
      this.#response.end()
    }
  }

  // A hook runs in the async context of the code that sets it, like the listeners of a response that a tool has bound.

  get onDrain(): Exchange['onDrain'] {
    return this.#onDrain
  }

  set onDrain(hook) {
    this.#onDrain = hook && AsyncResource.bind(hook)
  }

  get onAbort(): Exchange['onAbort'] {
    return this.#onAbort
  }

  set onAbort(hook) {
    this.#onAbort = hook && AsyncResource.bind(hook)
  }

  #drained(): void {
    try {
      this.#onDrain?.()
    } finally {
      this.#response.emit('drain')
    }
  }

  #aborted(reason: ExchangeError): void {
    try {
      this.#onAbort?.(reason)
    } finally {
      this.#socket.destroy()
    }
  }
}

// Like core: if the request body is too long, or its length is not the announced one, the status says that the client is at fault.
function statusOf(error: unknown): number {
  return error instanceof ExchangeError && /^FCGI_ERR_BODY_(?:LENGTH|TOO_LARGE)$/.test(error.code)
    ? error.status
    : 500
}
