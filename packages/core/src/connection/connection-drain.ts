import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

// A connection is closed after this time (milliseconds) without a request, because the front server may be sending one. In 107 restarts
// behind nginx, closing idle connections at once lost 62 of 11,700 POST requests.
const IDLE_TIMEOUT = 400

// The same for a connection that has had no request yet. A front server connects when it has a request, but on a busy machine it may not run
// for a while before it sends the request.
const FIRST_REQUEST_TIMEOUT = 1000

/** What a {@link ConnectionDrain} needs from the server. */
export interface DrainHost {
  /** Half of `drainTimeout` has passed, so connections are closed after their next response. */
  readonly drainHalfOver: boolean
  /** When the last record was sent that makes nginx stop using a connection, by `performance.now()`. */
  lastGoAway: number
}

/** What a {@link ConnectionDrain} needs from its connection. */
export interface DrainingConnection {
  /** The connection is draining, no request is running, and no part of another one has arrived. */
  readonly isIdle: boolean
  /** No request has begun. */
  readonly isUnused: boolean
  /** Closes the server's write side after all buffered output; see `lingering` in connection-state.ts. */
  shut(): void
}

/**
 * Closes a connection while the server drains. The server does not know whether the front server is sending the next request. A record
 * after END_REQUEST makes nginx stop using the connection, so it can be closed after that response. There is no such record for other
 * front servers. Their connections are closed when no request has arrived for a while, or after a response once half of `drainTimeout` has passed.
 */
export class ConnectionDrain {
  readonly #socket: Duplex
  readonly #host: DrainHost
  readonly #connection: DrainingConnection
  // Undefined once the connection has been shut.
  #timer: NodeJS.Timeout | undefined
  #responses = 0
  #sentGoAway = false
  #mayHaveInput = false

  constructor(socket: Duplex, host: DrainHost, connection: DrainingConnection) {
    this.#socket = socket
    this.#host = host
    this.#connection = connection
    this.#timer = this.#setTimer(connection.isUnused ? FIRST_REQUEST_TIMEOUT : IDLE_TIMEOUT)
  }

  /**
   * An END_REQUEST was sent, and with it, if `goAway` is true, the record that makes nginx stop using the connection. `hasAllInput` is true
   * if the request had arrived completely.
   */
  onResponse(goAway: boolean, hasAllInput: boolean): void {
    this.#sentGoAway ||= goAway
    this.#mayHaveInput ||= !hasAllInput
    this.#responses++
    if (goAway) this.#host.lastGoAway = performance.now()
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = this.#setTimer(IDLE_TIMEOUT)
    if (this.#sentGoAway || this.#host.drainHalfOver) process.nextTick(() => this.#closeNow())
  }

  /** Stops the timer, because the connection has been shut. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /**
   * Closes the connection if it is idle, after everything that has arrived has been read. The event loop handles timers before it reads
   * sockets. If the process was busy or did not run, a request may be waiting there.
   */
  closeIfIdle(): void {
    if (!this.#connection.isIdle) return
    const responses = this.#responses
    setImmediate(() => {
      if (this.#connection.isIdle && this.#responses === responses) this.#connection.shut()
    })
  }

  // While nginx sends requests, it uses up its idle connections: it stops using each after the next response. Closing one meanwhile would race
  // with its next request: on a busy machine nginx notices late that a connection was closed.
  get #isBeingUsedUp(): boolean {
    return !this.#host.drainHalfOver && performance.now() - this.#host.lastGoAway < IDLE_TIMEOUT
  }

  #setTimer(timeout: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      if (!this.#isBeingUsedUp) this.closeIfIdle()
      timer.refresh()
    }, timeout)
    return timer
  }

  // Closes the socket in the event loop tick in which END_REQUEST was sent. shut() would take effect one tick later, and a front server that
  // prefers the connection it used last would already have sent its next request. If there may be unread input, shut() is used, because
  // closing the socket would reset it, and the front server might lose the response.
  #closeNow(): void {
    if (!this.#connection.isIdle) return
    const isWritten = this.#socket.writableLength === 0
    if (isWritten && !this.#mayHaveInput && this.#socket instanceof Socket) this.#socket.destroy()
    else this.#connection.shut()
  }
}
