import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

// Milliseconds without a request. A front server that still uses the connection is not closed on while it sends: in 107
// restarts behind nginx, closing idle connections at once lost 62 of 11,700 POST requests.
const QUIET_TIMEOUT = 400

/** What a {@link Departure} needs of the server. */
export interface DepartureHost {
  /** So much of `drainTimeout` has passed that connections no longer wait until they are quiet. */
  readonly hurrying: boolean
}

/** What a {@link Departure} needs of its connection. */
export interface DepartingConnection {
  /** It is draining, no request runs, and no part of one has arrived. */
  readonly quiet: boolean
  /** Shuts the write side after what was written; see `lingering` in connection-state.ts. */
  shut(): void
}

/**
 * How a connection of a server that closes ends. The server does not know whether the front server is sending the next request on
 * it. nginx was told not to, by the record after END_REQUEST, and the connection ends with that response. Other front servers
 * cannot be told: their connections end when no request has come for a while, or after a response once the server hurries.
 */
export class Departure {
  readonly #socket: Duplex
  readonly #host: DepartureHost
  readonly #connection: DepartingConnection
  readonly #timer: NodeJS.Timeout
  #toldToGo = false
  #mayHaveInput = false

  constructor(socket: Duplex, host: DepartureHost, connection: DepartingConnection) {
    this.#socket = socket
    this.#host = host
    this.#connection = connection
    this.#timer = setTimeout(() => this.#onQuiet(), QUIET_TIMEOUT)
  }

  /**
   * An END_REQUEST was sent, and with it, if `goAway`, the record that makes nginx drop the connection. `hasAllInput` says whether the
   * request had arrived completely.
   */
  onResponse(goAway: boolean, hasAllInput: boolean): void {
    this.#toldToGo ||= goAway
    this.#mayHaveInput ||= !hasAllInput
    this.#timer.refresh()
    if (this.#toldToGo || this.#host.hurrying) process.nextTick(() => this.#leave())
  }

  /** The connection has been shut. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #onQuiet(): void {
    if (this.#connection.quiet) this.#connection.shut()
    else this.#timer.refresh()
  }

  // Closes in the turn of the event loop in which END_REQUEST was sent. Node shuts a socket down one turn later, and a front server
  // that prefers the connection it used last has sent its next request by then. Closing a socket that holds unread input would
  // reset it, and the front server might lose the response.
  #leave(): void {
    if (!this.#connection.quiet) return
    const isWritten = this.#socket.writableLength === 0
    if (isWritten && !this.#mayHaveInput && this.#socket instanceof Socket) this.#socket.destroy()
    else this.#connection.shut()
  }
}
