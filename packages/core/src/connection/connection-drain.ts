import type { RecordReader } from './record-reader.ts'
import type { ResponseWriter } from './response-writer.ts'

// A connection is closed after this time (milliseconds) without a request, because the front server may be sending one.
const IDLE_TIMEOUT = 400

// The same for a connection that has had no request yet. A front server connects when it has a request, but on a busy machine it may not run
// for a while before it sends the request.
const FIRST_REQUEST_TIMEOUT = 1000

// Ticks of the server's clock. A connection that has been idle for as long is closed without a wait: that is more than a second.
const IDLE_TICKS = 2

/** What a {@link ConnectionDrain} needs from the server. */
export interface DrainHost {
  /** The server's clock, in seconds. */
  readonly tick: number
  /** Half of `drainTimeout` has passed, so connections are closed after their next response. */
  readonly drainHalfOver: boolean
}

/** What a {@link ConnectionDrain} needs from its connection. */
export interface DrainingConnection {
  /** The server is closing, but the connection still accepts requests. */
  readonly draining: boolean
  /** The number of running requests. */
  readonly requests: number
  /** Reading is not paused. */
  readonly reading: boolean
  /** The peer opens a connection only for a request that it has. */
  readonly sendsRequest: boolean
  /** A response has ended. */
  readonly hasResponded: boolean
  /** When the last request ended, or the connection began, by the server's clock. */
  readonly idleTick: number
  /** Ends the connection; see `lingering` in connection-state.ts. */
  shut(isAfterResponse?: boolean): void
}

/**
 * Closes a connection while the server drains. The server does not know whether the front server is sending the next request. A record
 * makes nginx stop using the connection. If it is idle, nginx closes it. If a request is running or arrives meanwhile, the connection is closed
 * after that response. There is no such record for other front servers. Their connections are closed when no request has arrived for a while, or
 * after a response once half of `drainTimeout` has passed.
 */
export class ConnectionDrain {
  readonly #host: DrainHost
  readonly #connection: DrainingConnection
  readonly #reader: RecordReader
  // Undefined once the connection has been shut.
  #timer: NodeJS.Timeout | undefined
  #responses = 0
  #sentGoAway: boolean

  constructor(
    host: DrainHost,
    connection: DrainingConnection,
    reader: RecordReader,
    responses: ResponseWriter,
  ) {
    this.#host = host
    this.#connection = connection
    this.#reader = reader
    const isUnused = connection.requests === 0 && !connection.hasResponded
    this.#timer = this.#setTimer(isUnused ? FIRST_REQUEST_TIMEOUT : IDLE_TIMEOUT)
    this.#sentGoAway = this.#isIdle && responses.sendGoAway()
    if (host.tick - connection.idleTick >= IDLE_TICKS) this.#closeIfIdle()
  }

  /** An END_REQUEST was sent, and with it, if `goAway` is true, the record that makes nginx stop using the connection. */
  onResponse(goAway: boolean): void {
    this.#sentGoAway ||= goAway
    this.#responses++
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = this.#setTimer(IDLE_TIMEOUT)
    // In the event loop tick in which END_REQUEST was sent: later, a front server that prefers the connection that it used last would
    // already have sent its next request.
    if (this.#sentGoAway || this.#host.drainHalfOver) {
      process.nextTick(() => this.#isIdle && this.#connection.shut(true))
    }
  }

  /** Stops the timer, because the connection has been shut. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  // No request is running, no part of another one has arrived, and none is certain to arrive.
  get #isIdle(): boolean {
    const { draining, requests, reading, sendsRequest, hasResponded } = this.#connection
    const awaitsFirst = sendsRequest && !hasResponded
    return draining && requests === 0 && !awaitsFirst && reading && this.#reader.atBoundary
  }

  // Closes the connection if it is idle, after everything that has arrived has been read. The event loop handles timers before it reads
  // sockets. If the process was busy or did not run, a request may be waiting there. A connection that nginx will close is left to nginx.
  #closeIfIdle(): void {
    if (!this.#isIdle || (this.#sentGoAway && !this.#host.drainHalfOver)) return
    const responses = this.#responses
    setImmediate(() => {
      if (this.#isIdle && this.#responses === responses) this.#connection.shut()
    })
  }

  #setTimer(timeout: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#closeIfIdle()
      timer.refresh()
    }, timeout)
    return timer
  }
}
