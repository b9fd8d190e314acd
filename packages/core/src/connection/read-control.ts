import type { Duplex } from 'node:stream'
import { type InputQueue, PIECE_COST } from '../exchange/input.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { ActiveRequests } from './active-requests.ts'
import type { PeerProbe } from './peer-probe.ts'

/** How much unread input a connection buffers, in bytes. */
export interface BufferLimits {
  readonly maxBufferedPerRequest: number
  readonly maxBufferedPerConnection: number
}

// The share of `maxBufferedPerRequest` that the only request of a connection can use: pausing then delays no other request.
const SINGLE_REQUEST_SHARE = 1 / 8

// While reading is paused, the connection reads a little more at this interval (milliseconds), up to the whole limit. An abort or the
// end of the stream may follow the buffered input, and a paused socket reports neither.
const PEEK_INTERVAL = 100

// How many bytes of replies and finished responses the socket may buffer for a peer that sends without reading.
const REPLIES_MAX = 64 * 1024

// The overhead of a reply in the socket's write queue, in bytes.
const REPLY_COST = 256

// RELEASED: reading is never paused again, because input is dropped or has ended.
const READING = 0
const PAUSED = 1
const RELEASED = 2

/**
 * Applies back-pressure to the peer. It pauses reading from the socket while apps do not read their request bodies, or while the peer does
 * not read the replies.
 */
export class ReadControl {
  readonly #socket: Duplex
  readonly #exchanges: ActiveRequests
  readonly #probe: PeerProbe
  readonly #limits: BufferLimits
  #state = READING
  #mayBeFull = false
  // An upper bound of the queued bytes: the sum when it was last computed, and all bytes that have arrived since.
  #queuedAtMost = 0
  #replyBytes = 0
  #peekTimer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, exchanges: ActiveRequests, probe: PeerProbe, limits: BufferLimits) {
    this.#socket = socket
    this.#exchanges = exchanges
    this.#probe = probe
    this.#limits = limits
  }

  /** False while reading is paused. */
  get reading(): boolean {
    return this.#state !== PAUSED
  }

  /** `length` bytes of input were queued. */
  onQueued(input: InputQueue, length: number): void {
    const { maxBufferedPerRequest, maxBufferedPerConnection } = this.#limits
    this.#queuedAtMost += length + PIECE_COST
    if (
      input.queuedBytes > maxBufferedPerRequest * SINGLE_REQUEST_SHARE ||
      this.#queuedAtMost > maxBufferedPerConnection
    ) {
      this.#mayBeFull = true
    }
  }

  /** The server sent a record of its own, of `length` bytes. Returns false if the socket buffers too many of them. */
  onReply(length: number): boolean {
    if (this.#socket.writableLength === 0) {
      this.#replyBytes = 0
      return true
    }
    this.#replyBytes += length + REPLY_COST
    this.#mayBeFull = true
    return this.#replyBytes <= REPLIES_MAX || this.#state === RELEASED
  }

  /** A response has ended. Its bytes that the socket still buffers count as replies from now on, because no app waits for them. */
  onResponseEnded(): void {
    if (this.#socket.writableNeedDrain) {
      this.#replyBytes = this.#socket.writableLength
      this.#mayBeFull = true
    }
    this.onConsumed()
  }

  /** The socket has sent all buffered data. */
  onDrain(): void {
    this.#replyBytes = 0
    this.onConsumed()
  }

  /** A queue has become shorter. */
  onConsumed(): void {
    if (this.#state === PAUSED) this.adjust()
  }

  /** Pauses or resumes reading, depending on the queues. */
  adjust(): void {
    if (!this.#mayBeFull || this.#state === RELEASED) return
    if (this.#isFull()) {
      this.#pause()
    } else {
      this.#mayBeFull = false
      this.#resume()
    }
  }

  /** Resumes reading and never pauses it again, because input is dropped or has ended. */
  release(): void {
    this.#resume()
    this.#state = RELEASED
  }

  #pause(): void {
    if (this.#state === PAUSED) return
    this.#state = PAUSED
    this.#socket.pause()
    // The socket emits no 'drain' if it buffers less than its high-water mark.
    if (this.#isUnread() && !this.#socket.writableNeedDrain) this.#socket.write('', () => this.onDrain())
    this.#peekLater()
  }

  #resume(): void {
    if (this.#state !== PAUSED) return
    this.#state = READING
    clearTimeout(this.#peekTimer)
    this.#probe.stop()
    this.#socket.resume()
  }

  #isFull(): boolean {
    if (this.#isUnread()) return true
    const { maxBufferedPerRequest, maxBufferedPerConnection } = this.#limits
    const window = maxBufferedPerRequest * (this.#exchanges.size > 1 ? 1 : SINGLE_REQUEST_SHARE)
    let total = 0
    for (const exchange of this.#exchanges) {
      if (exchange.ended) continue
      if (blocksReading(exchange.stdin, exchange, window)) return true
      if (exchange.role === 'filter' && blocksReading(exchange.data, exchange, window)) return true
      total += exchange.queuedBytes
    }
    this.#queuedAtMost = total
    return total > maxBufferedPerConnection
  }

  #peekLater(): void {
    this.#peekTimer = setTimeout(() => this.#peek(), PEEK_INTERVAL).unref()
  }

  #peek(): void {
    // Unread replies need no probe: their own writes fail if the peer has closed the connection.
    const unread = this.#isUnread()
    if (unread || this.#isAtLimit()) {
      if (!unread) this.#probe.start()
      this.#peekLater()
    } else {
      // The next piece of input pauses reading again.
      this.#resume()
    }
  }

  #isUnread(): boolean {
    return this.#replyBytes > REPLIES_MAX && this.#socket.writableLength > 0
  }

  #isAtLimit(): boolean {
    let total = 0
    for (const { queuedBytes } of this.#exchanges) {
      if (queuedBytes > this.#limits.maxBufferedPerRequest) return true
      total += queuedBytes
    }
    return total > this.#limits.maxBufferedPerConnection
  }
}

function blocksReading(input: InputQueue, exchange: ServerExchange, window: number): boolean {
  if (input.queuedBytes <= window) return false
  if (!exchange.headSent || input.wanted) return true
  // The response has begun, and the app has not begun to read this body. Discard it: a front server that sends the whole body before it
  // reads the response (mod_fcgid, Caddy) would wait forever.
  input.discard()
  return false
}
