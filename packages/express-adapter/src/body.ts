import type { Exchange } from '@fcgi-bridge/core'
import type { InternalRequest } from './internals.ts'

/**
 * Carries a request's body from the exchange into the stream that the app reads, no faster than it reads: what Node's
 * parser and the socket below it do together.
 */
export class BodyPump {
  readonly #exchange: Exchange
  readonly #request: InternalRequest
  readonly #onProgress: () => void
  readonly #onError: (error: unknown) => void
  #paused = false
  #running = false
  #over = false
  #bytesRead = 0

  /** `onProgress` is told of pieces that came in, `onError` what listeners of the request throw meanwhile. */
  constructor(
    exchange: Exchange,
    request: InternalRequest,
    onProgress: () => void,
    onError: (error: unknown) => void,
  ) {
    this.#exchange = exchange
    this.#request = request
    this.#onProgress = onProgress
    this.#onError = onError
  }

  /** Bytes of the body handed on so far. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The body has been handed on whole, or is broken. */
  get over(): boolean {
    return this.#over
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.run()
  }

  /** Hands on what is there; then, if the exchange has ended, no more will come. */
  run(): void {
    // A listener that is handed a piece may well ask for the next one.
    if (this.#running) return
    this.#running = true
    try {
      while (!this.#over && !this.#paused && this.#step());
    } finally {
      this.#running = false
    }
  }

  // False where there is nothing more for now.
  #step(): boolean {
    const request = this.#request
    const { stdin } = this.#exchange
    if (request._dumped) stdin.discard()
    else {
      const chunk = stdin.read()
      if (chunk !== null) {
        this.#bytesRead += chunk.length
        this.#onProgress()
        if (!request.push(chunk)) this.#paused = true
        return true
      }
      if (!stdin.ended) return this.#wait()
    }
    this.#over = true
    endBody(request)
    return false
  }

  #wait(): boolean {
    const exchange = this.#exchange
    const { stdin } = exchange
    if (stdin.error === undefined && !exchange.ended) {
      // Apart from the assignment, as onAbort is: see socket.ts.
      const onReadable = (): void => this.#onReadable()
      stdin.onReadable ??= onReadable
    } else {
      this.#over = true
      // An abort reaches the request by way of the socket, as it does in Node.
      if (!exchange.aborted) breakBody(this.#request, stdin.error ?? new Error(ANSWERED))
    }
    return false
  }

  #onReadable(): void {
    try {
      this.run()
    } catch (error) {
      this.#onError(error)
    }
  }
}

/** Ends a body that nobody has read, and nobody will, whatever is still to come of it. */
export function dropBody(exchange: Exchange, request: InternalRequest): void {
  const { stdin } = exchange
  if (stdin.ended) {
    endBody(request)
    request._dump()
  } else {
    stdin.discard()
    // The other way round: only of a body that has come in does Node 26 take that there is nothing to drop.
    request._dump()
    endBody(request)
  }
}

function endBody(request: InternalRequest): void {
  request.complete = true
  request.push(null)
}

const ANSWERED =
  'The response was ended before the request body had come in, and what was missing of it never will.'

/**
 * Ends a body that can not be had whole. Its reader gets the error (with the `status` that fits), and the older sign of
 * it; but other than in Node the connection is well, and the app can still answer.
 */
function breakBody(request: InternalRequest, error: Error): void {
  request._destroy = (reason, callback) => {
    request.aborted = true
    // As Node does: an error nobody listens for is not thrown.
    callback(request.listenerCount('error') > 0 ? reason : null)
    process.nextTick(() => {
      request.emit('aborted')
      // Whoever drops the rest before it answers, as Express's 404 does, waits by on-finished for 'end', which this is not,
      // for the connection's end, which this is not either, or for 'finish', which nobody else expects of a request.
      request.emit('finish')
    })
  }
  // Nothing more can be read of the connection: on-finished, and with it body-parser, goes by that.
  const { socket } = request as { socket: { readable: boolean } }
  socket.readable = false
  request.destroy(error)
}
