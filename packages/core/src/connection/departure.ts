import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

// A connection is closed after this time (milliseconds) without a request, because the front server may be sending one. In 107 restarts
// behind nginx, closing idle connections at once lost 62 of 11,700 POST requests.
const QUIET_TIMEOUT = 400

/** What a {@link Departure} needs from the server. */
export interface DepartureHost {
  /** Half of `drainTimeout` has passed, so connections are closed after their next response. */
  readonly drainHalfOver: boolean
}

/** What a {@link Departure} needs from its connection. */
export interface DepartingConnection {
  /** The connection is draining, no request is running, and no part of another one has arrived. */
  readonly quiet: boolean
  /** Closes our write side after all buffered output; see `lingering` in connection-state.ts. */
  shut(): void
}

/**
 * Closes a connection while the server drains. The server does not know whether the front server is sending the next request. A record
 * after END_REQUEST makes nginx stop using the connection, so it can be closed after that response. There is no such record for other
 * front servers. Their connections are closed when no request has arrived for a while, or after a response once the server hurries.
 */
export class Departure {
  readonly #socket: Duplex
  readonly #host: DepartureHost
  readonly #connection: DepartingConnection
  readonly #timer: NodeJS.Timeout
  #sentGoAway = false
  #mayHaveInput = false

  constructor(socket: Duplex, host: DepartureHost, connection: DepartingConnection) {
    this.#socket = socket
    this.#host = host
    this.#connection = connection
    this.#timer = setTimeout(() => this.#onQuiet(), QUIET_TIMEOUT)
  }

  /**
   * An END_REQUEST was sent, and with it, if `goAway` is true, the record that makes nginx stop using the connection. `hasAllInput` is true
   * if the request had arrived completely.
   */
  onResponse(goAway: boolean, hasAllInput: boolean): void {
    this.#sentGoAway ||= goAway
    this.#mayHaveInput ||= !hasAllInput
    this.#timer.refresh()
    if (this.#sentGoAway || this.#host.drainHalfOver) process.nextTick(() => this.#leave())
  }

  /** Stops the timer, because the connection has been shut. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #onQuiet(): void {
    if (this.#connection.quiet) this.#connection.shut()
    else this.#timer.refresh()
  }

  // Closes the socket in the event loop tick in which END_REQUEST was sent. shut() would take effect one tick later, and a front server that
  // prefers the connection it used last would already have sent its next request. If there may be unread input, shut() is used, because
  // closing the socket would reset it, and the front server might lose the response.
  #leave(): void {
    if (!this.#connection.quiet) return
    const isWritten = this.#socket.writableLength === 0
    if (isWritten && !this.#mayHaveInput && this.#socket instanceof Socket) this.#socket.destroy()
    else this.#connection.shut()
  }
}
