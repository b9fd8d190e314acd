// A connection is closed after this time (milliseconds) without a request, because the front server may be sending one.
const IDLE_TIMEOUT = 400

// The same for a connection that has had no request yet. A front server connects when it has a request, but on a busy machine it may not run
// for a while before it sends the request.
const FIRST_REQUEST_TIMEOUT = 1000

/** What a {@link ConnectionDrain} needs from the server. */
export interface DrainHost {
  /** Half of `drainTimeout` has passed, so connections are closed after their next response. */
  readonly drainHalfOver: boolean
}

/** What a {@link ConnectionDrain} needs from its connection. */
export interface DrainingConnection {
  /** The connection is draining, no request is running, and no part of another one has arrived. */
  readonly isIdle: boolean
  /** No request has begun. */
  readonly isUnused: boolean
  /** If nginx uses the connection, sends the record that makes nginx stop using it, and returns true. */
  sendGoAway(): boolean
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
  // Undefined once the connection has been shut.
  #timer: NodeJS.Timeout | undefined
  #responses = 0
  #sentGoAway: boolean

  constructor(host: DrainHost, connection: DrainingConnection) {
    this.#host = host
    this.#connection = connection
    this.#timer = this.#setTimer(connection.isUnused ? FIRST_REQUEST_TIMEOUT : IDLE_TIMEOUT)
    this.#sentGoAway = connection.isIdle && connection.sendGoAway()
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
      process.nextTick(() => this.#connection.isIdle && this.#connection.shut(true))
    }
  }

  /** Stops the timer, because the connection has been shut. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /**
   * Closes the connection if it is idle, after everything that has arrived has been read. The event loop handles timers before it reads
   * sockets. If the process was busy or did not run, a request may be waiting there. A connection that nginx will close is left to nginx.
   */
  closeIfIdle(): void {
    if (!this.#connection.isIdle || (this.#sentGoAway && !this.#host.drainHalfOver)) return
    const responses = this.#responses
    setImmediate(() => {
      if (this.#connection.isIdle && this.#responses === responses) this.#connection.shut()
    })
  }

  #setTimer(timeout: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.closeIfIdle()
      timer.refresh()
    }, timeout)
    return timer
  }
}
