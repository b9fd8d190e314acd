import type { Exchange } from '@fcgi-bridge/core'
import type { InternalRequest } from '../internals.ts'

/** What a {@link BodyPump} reports to. */
export interface BodyOwner {
  /** A piece of the request body arrived. */
  onBodyProgress(): void
  /** A listener of the request threw `error`. */
  onBodyError(error: unknown): void
  /** No more of the body can be read: `req.socket.readable` becomes false. */
  onBodyBroken(): void
}

/**
 * Moves a request body from the exchange into the stream that the app reads, no faster than the app reads it: the work of
 * Node's HTTP parser and its socket.
 */
export class BodyPump {
  readonly #exchange: Exchange
  readonly #request: InternalRequest
  readonly #owner: BodyOwner
  // Pieces taken from the exchange before it ended, and not read by the app yet.
  #taken: Buffer[] | undefined
  #held = false
  #paused = false
  #running = false
  // A piece was pushed; the end waits for what that started.
  #pushed = false
  #ending = false
  #over = false
  #bytesRead = 0

  constructor(exchange: Exchange, request: InternalRequest, owner: BodyOwner) {
    this.#exchange = exchange
    this.#request = request
    this.#owner = owner
  }

  /** Bytes of the body that the request stream has received. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The request stream has the whole body, or the body is broken. */
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

  /** The request stream has the whole body, and gets its end soon. */
  get ending(): boolean {
    return this.#ending
  }

  /** Gives the request stream nothing more until `release`. */
  hold(): void {
    this.#held = true
  }

  /**
   * The response is about to end, and the exchange with it. Holds, and saves what has arrived. Returns whether the whole body
   * has.
   */
  save(): boolean {
    this.#held = true
    const { stdin } = this.#exchange
    for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) {
      this.#taken ??= []
      this.#taken.push(chunk)
    }
    return stdin.ended
  }

  /** Goes on after `hold` or `save`. */
  release(): void {
    this.#held = false
    this.run()
  }

  /**
   * The response has finished and nobody has read this body, of which the rest will not come. A listener that is added until
   * the next event gets an error; without one the request ends, as in Node once the rest has arrived.
   */
  drop(): void {
    this.#over = true
    this.#exchange.stdin.discard()
    this.#request._dump()
    setImmediate(() => this.#endDropped())
  }

  /** Pushes the pieces that are there. Once the exchange has ended, no more can come. */
  run(): void {
    // A 'data' listener may ask for the next piece.
    if (this.#running || this.#held) return
    this.#running = true
    try {
      while (!this.#over && !this.#paused && this.#step());
    } finally {
      this.#running = false
    }
  }

  // False if there is nothing to push now.
  #step(): boolean {
    const request = this.#request
    const { stdin } = this.#exchange
    if (request.destroyed) {
      stdin.discard()
      this.#over = true
      return false
    }
    if (request._dumped) stdin.discard()
    else {
      const chunk = this.#taken?.shift() ?? stdin.read()
      if (chunk !== null) {
        this.#pushed = true
        this.#bytesRead += chunk.length
        this.#owner.onBodyProgress()
        if (!request.push(chunk)) this.#paused = true
        return true
      }
      if (!stdin.ended) return this.#wait()
    }
    this.#end()
    return false
  }

  #end(): void {
    if (this.#ending) return
    if (!this.#pushed || isPolled(this.#request)) {
      this.#over = true
      endBody(this.#request)
      return
    }
    this.#ending = true
    afterTicks(() => this.#runAtEnd())
  }

  #runAtEnd(): void {
    this.#ending = false
    this.#pushed = false
    this.runAgain()
  }

  /** The same in an event of its own: what a listener throws is the exchange's failure. */
  runAgain(): void {
    try {
      this.run()
    } catch (error) {
      this.#owner.onBodyError(error)
    }
  }

  #endDropped(): void {
    const exchange = this.#exchange
    const request = this.#request
    if (request.destroyed) return
    if (request.listenerCount('readable') > 0 || request.listenerCount('data') > 0) {
      breakBody(exchange, request, this.#owner)
      return
    }
    // To a reader that comes after the end this must not look like an empty body.
    const error = bodyError(exchange)
    request.once('close', () => {
      request._readableState.errored ??= error
    })
    endBody(request)
  }

  #wait(): boolean {
    const exchange = this.#exchange
    const { stdin } = exchange
    if (stdin.error === undefined && !exchange.ended) {
      // Create the closure separately, for the same reason as onAbort in socket.ts.
      const onReadable = (): void => this.runAgain()
      stdin.onReadable ??= onReadable
    } else {
      this.#over = true
      // The socket reports an abort to the request, as in Node.
      if (!exchange.aborted) breakBody(exchange, this.#request, this.#owner)
    }
    return false
  }
}

/**
 * Moves a body that nobody has read into the request stream, where Node's parser puts it as it arrives, so that a listener
 * that is added now can read it. Returns false if the body has not arrived whole.
 */
export function pushBody({ stdin }: Exchange, request: InternalRequest): boolean {
  const first = stdin.read()
  for (let chunk = first; chunk !== null; chunk = stdin.read()) request.push(chunk)
  if (!stdin.ended) return false
  if (first === null) endBody(request)
  else afterTicks(() => endBody(request))
  return true
}

// Node's parser lets all ticks and promises run after each piece of a body, and thus before its end: a microtask runs once the
// ticks are done, and a tick once the microtasks are. Those that start each other more often than this go on after the end.
const ROUNDS = 4

function afterTicks(end: () => void, rounds: number = ROUNDS): void {
  queueMicrotask(rounds === 0 ? end : () => process.nextTick(afterTicks, end, rounds - 1))
}

// The app calls `read()` without a listener. In Node the end of a body that has arrived is there together with its last piece: a
// single call reads both.
function isPolled({ readableFlowing, _readableState }: InternalRequest): boolean {
  return readableFlowing === null && !_readableState.readableListening
}

/** Ends the request stream: the body has arrived whole. */
export function endBody(request: InternalRequest): void {
  request.complete = true
  request.push(null)
}

function bodyError({ stdin }: Exchange): Error {
  return (
    stdin.error ??
    new Error(
      'The response ended before the whole request body had arrived. The rest of the body was dropped. Read it before the response ends.',
    )
  )
}

/**
 * Ends a body that cannot be had whole. Its reader gets the error (with the matching `status`) and 'aborted'. Unlike in Node,
 * the connection still works, so the app can still respond.
 */
function breakBody(exchange: Exchange, request: InternalRequest, owner: BodyOwner): void {
  request._destroy = (reason, callback) => {
    request.aborted = true
    // As in Node, an error without a listener is not thrown.
    callback(request.listenerCount('error') > 0 ? reason : null)
    process.nextTick(() => {
      request.emit('aborted')
      // Express's 404 handler drops the rest of the body and uses on-finished to wait for its end. Neither 'end' nor the
      // connection's 'close' will come, and on-finished also takes 'finish', which nobody else expects of a request.
      request.emit('finish')
    })
  }
  // on-finished, and with it body-parser, goes by the socket's `readable`.
  owner.onBodyBroken()
  request.destroy(bodyError(exchange))
}
