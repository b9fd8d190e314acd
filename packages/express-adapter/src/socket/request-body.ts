import type { Exchange } from '@fcgi-bridge/core'
import type { InternalRequest } from '../internals.ts'
import { afterTicks } from './after-ticks.ts'

/** The receiver of a {@link BodyPump}'s reports. */
export interface BodyOwner {
  /** A piece of the request body arrived. */
  onBodyProgress(): void
  /** A listener of the request threw `error`. */
  onBodyError(error: unknown): void
  /** No more of the body can be read: `req.socket.readable` becomes false. */
  onBodyBroken(): void
}

/**
 * The state of a {@link BodyPump}. Each column is an event, each cell the next state.
 *
 * | state     | a reader resumes | a piece is pushed | no piece is left now | the body is complete     | the ticks have run | broken or dropped |
 * | --------- | ---------------- | ----------------- | -------------------- | ------------------------ | ------------------ | ----------------- |
 * | `fresh`   | `waiting`        | `pushed`          | `fresh`              | `over`: the request ends | –                  | `over`            |
 * | `waiting` | –                | `waiting`         | `fresh`              | `over`: the request ends | –                  | `over`            |
 * | `pushed`  | `pushed`         | `pushed`          | `pushed`             | `ending`                 | –                  | `over`            |
 * | `ending`  | `ending`         | –                 | –                    | –                        | `fresh`            | `over`            |
 * | `over`    | –                | –                 | –                    | –                        | –                  | –                 |
 *
 * - `fresh`: no piece has arrived since the last ticks, so the end of the body can be pushed at once.
 * - `waiting`: a reader takes pieces that arrived before it was added. If the end of the body has arrived, too, it is pushed at once:
 *   Node's parser would have put the pieces and the end into the stream by now.
 * - `pushed`: a piece has been pushed. Its listeners may have queued ticks and promises. The end of the body waits for them, as in Node.
 * - `ending`: the request stream has the whole body. Its end follows after the ticks.
 * - `over`: the request stream has ended, or the body is broken or dropped.
 */
type PumpState = 'fresh' | 'waiting' | 'pushed' | 'ending' | 'over'

/**
 * Moves a request body from the exchange into the stream that the app reads, at the pace of the app. In Node the HTTP parser and the
 * socket do this.
 */
export class BodyPump {
  readonly #exchange: Exchange
  readonly #request: InternalRequest
  readonly #owner: BodyOwner
  #state: PumpState = 'fresh'
  // Pieces taken from the exchange before it ended. The app has not read them yet.
  #saved: Buffer[] | undefined
  // Two reasons to stop in any state: the adapter holds the pump, or the app does not want more now.
  #held = false
  #paused = false
  // `run` is on the stack.
  #running = false
  #bytesRead = 0

  constructor(exchange: Exchange, request: InternalRequest, owner: BodyOwner) {
    this.#exchange = exchange
    this.#request = request
    this.#owner = owner
  }

  /** How many bytes of the body the request stream has received. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The request stream has ended, or the body is broken or dropped. */
  get over(): boolean {
    return this.#state === 'over'
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    // A paused connection of Node does not read, so after a pause the pieces count as arriving now. Without a pause, this is the first
    // reader, and the pieces arrived before it.
    if (!this.#paused && !this.#held && this.#state === 'fresh') this.#state = 'waiting'
    this.#paused = false
    this.#run()
  }

  /** The request stream has the whole body, and ends soon. */
  get ending(): boolean {
    return this.#state === 'ending'
  }

  /** Pushes nothing more until `release`. */
  hold(): void {
    this.#held = true
  }

  /**
   * Call it before the exchange ends, which drops the exchange's input. Holds the pump, and saves what has arrived. Returns whether the
   * whole body has arrived.
   */
  save(): boolean {
    this.#held = true
    const { stdin } = this.#exchange
    for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) {
      this.#saved ??= []
      this.#saved.push(chunk)
    }
    return stdin.ended
  }

  /** Continues after `hold` or `save`. */
  release(): void {
    this.#held = false
    this.#run()
  }

  /**
   * Call it when the response has finished and nobody has read the body. Drops the rest. A listener that the app adds in this turn of the
   * event loop gets an error. Without one the request ends, as it does in Node once the rest has arrived.
   */
  drop(): void {
    this.#state = 'over'
    this.#exchange.stdin.discard()
    this.#request._dump()
    setImmediate(() => this.#endDropped())
  }

  // Pushes the pieces that are there. After the end of the exchange no more can arrive.
  #run(): void {
    // A 'data' listener may call `read`, which resumes the pump.
    if (this.#running || this.#held) return
    this.#running = true
    try {
      while (this.#state !== 'over' && !this.#paused && this.#step());
    } finally {
      this.#running = false
      if (this.#state === 'waiting') this.#state = 'fresh'
    }
  }

  // Returns false if there is nothing to push now.
  #step(): boolean {
    const request = this.#request
    const { stdin } = this.#exchange
    if (request.destroyed) {
      stdin.discard()
      this.#state = 'over'
      return false
    }
    if (request._dumped) stdin.discard()
    else {
      const chunk = this.#saved?.shift() ?? stdin.read()
      if (chunk !== null) {
        if (this.#state === 'fresh') this.#state = 'pushed'
        this.#bytesRead += chunk.length
        this.#owner.onBodyProgress()
        if (!request.push(chunk)) this.#paused = true
        // Node's parser does not stop between the last piece and the end of the body.
        if (!this.#paused || !stdin.ended || this.#saved?.length) return true
      } else if (!stdin.ended) return this.#wait()
    }
    this.#end()
    return false
  }

  #end(): void {
    if (this.#state === 'ending') return
    if (this.#state !== 'pushed') {
      this.#state = 'over'
      endBody(this.#request)
      return
    }
    this.#state = 'ending'
    afterTicks(BodyPump.#endAfterTicks, this)
  }

  static #endAfterTicks(this: void, pump: BodyPump): void {
    if (pump.#state !== 'ending') return
    pump.#state = 'fresh'
    if (pump.#request.destroyed) pump.#run()
    // The reader may have paused. The end follows all the same.
    else if (!pump.#held) pump.#end()
  }

  // Runs outside of the app's code. An error that a listener throws fails the exchange.
  #runGuarded(): void {
    try {
      this.#run()
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
    // A reader that is added after the end must not take this for an empty body.
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
      // Create the closure separately, for the same reason as onAbort in exchange-socket.ts.
      const onReadable = (): void => this.#runGuarded()
      stdin.onReadable ??= onReadable
    } else {
      this.#state = 'over'
      // The socket reports an abort to the request, as in Node.
      if (!exchange.aborted) breakBody(exchange, this.#request, this.#owner)
    }
    return false
  }
}

/**
 * Moves a body that nobody has read into the request stream, as Node's parser does, so that a listener that is added now can read it.
 * `end`: `after-ticks` if the body has arrived in this turn of the event loop. Returns false if some of the body has not arrived.
 */
export function pushBody({ stdin }: Exchange, request: InternalRequest, end: 'now' | 'after-ticks'): boolean {
  const first = stdin.read()
  for (let chunk = first; chunk !== null; chunk = stdin.read()) request.push(chunk)
  if (!stdin.ended) return false
  if (first === null || end === 'now') endBody(request)
  else afterTicks(endBody, request)
  return true
}

/** Ends the request stream. The whole body has arrived. */
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
 * Ends a body whose rest will not arrive. Its reader gets the error (with the matching `status`) and 'aborted'. Unlike in Node, the
 * connection still works, so the app can still respond.
 */
function breakBody(exchange: Exchange, request: InternalRequest, owner: BodyOwner): void {
  request._destroy = (reason, callback) => {
    request.aborted = true
    // As in Node, an error without a listener is not thrown.
    callback(request.listenerCount('error') > 0 ? reason : null)
    process.nextTick(() => {
      request.emit('aborted')
      // Express's 404 handler drops the rest of the body and uses on-finished to wait for its end. Neither 'end' nor the socket's
      // 'close' will come. on-finished also accepts 'finish', which no other code expects of a request.
      request.emit('finish')
    })
  }
  // on-finished, and with it body-parser, checks the socket's `readable`.
  owner.onBodyBroken()
  request.destroy(bodyError(exchange))
}
