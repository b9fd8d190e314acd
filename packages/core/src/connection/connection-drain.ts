import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

// A connection is closed after this time (milliseconds) without a request, because the front server may be sending one. In 107 restarts
// behind nginx, closing idle connections at once lost 62 of 11,700 POST requests.
const IDLE_TIMEOUT = 400

/** What a {@link ConnectionDrain} needs from the server. */
export interface DrainHost {
  /** Half of `drainTimeout` has passed, so connections are closed after their next response. */
  readonly drainHalfOver: boolean
}

/** What a {@link ConnectionDrain} needs from its connection. */
export interface DrainingConnection {
  /** The connection is draining, no request is running, and no part of another one has arrived. */
  readonly isIdle: boolean
  /** Closes our write side after all buffered output; see `lingering` in connection-state.ts. */
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
  readonly #timer: NodeJS.Timeout
  #sentGoAway = false
  #mayHaveInput = false

  constructor(socket: Duplex, host: DrainHost, connection: DrainingConnection) {
    this.#socket = socket
    this.#host = host
    this.#connection = connection
    this.#timer = setTimeout(() => this.#onIdleTimeout(), IDLE_TIMEOUT)
  }

  /**
   * An END_REQUEST was sent, and with it, if `goAway` is true, the record that makes nginx stop using the connection. `hasAllInput` is true
   * if the request had arrived completely.
   */
  onResponse(goAway: boolean, hasAllInput: boolean): void {
    this.#sentGoAway ||= goAway
    this.#mayHaveInput ||= !hasAllInput
    this.#timer.refresh()
    if (this.#sentGoAway || this.#host.drainHalfOver) process.nextTick(() => this.#closeNow())
  }

  /** Stops the timer, because the connection has been shut. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #onIdleTimeout(): void {
    if (this.#connection.isIdle) this.#connection.shut()
    else this.#timer.refresh()
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
