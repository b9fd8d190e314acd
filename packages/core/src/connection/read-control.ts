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

// The share of `maxBufferedPerRequest` that a request alone on its connection uses: pausing holds up no other request.
const ALONE = 1 / 8

// While reading is paused, a little more is read at this interval (milliseconds), up to the whole limit: an abort or the end of the
// connection may follow the input, and a paused socket reports neither.
const PEEK_INTERVAL = 100

// Bytes of replies and finished responses that may wait for a peer that sends without reading, and the cost of one in a stream's
// queue in addition to its bytes.
const REPLIES_MAX = 64 * 1024
const REPLY_COST = 256

// RELEASED: everything is read, because it is dropped or there is no more.
const READING = 0
const PAUSED = 1
const RELEASED = 2

/** Pauses a connection while request bodies wait for their readers, so that the rest waits in the front server. */
export class ReadControl {
  readonly #socket: Duplex
  readonly #exchanges: ActiveRequests
  readonly #probe: PeerProbe
  readonly #limits: BufferLimits
  #state = READING
  #mayBeFull = false
  // An upper bound of what is queued, in bytes: the sum when it was last counted and all that has arrived since.
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
    if (input.queuedBytes > maxBufferedPerRequest * ALONE || this.#queuedAtMost > maxBufferedPerConnection) {
      this.#mayBeFull = true
    }
  }

  /** A record of `length` bytes that no app wrote was sent. False if too many of them wait in the socket. */
  onReply(length: number): boolean {
    if (this.#socket.writableLength === 0) {
      this.#replyBytes = 0
      return true
    }
    this.#replyBytes += length + REPLY_COST
    this.#mayBeFull = true
    return this.#replyBytes <= REPLIES_MAX || this.#state === RELEASED
  }

  /** A response has ended. What still waits of it in the socket counts like replies, because no app waits for it. */
  onAnswered(): void {
    if (this.#socket.writableNeedDrain) {
      this.#replyBytes = this.#socket.writableLength
      this.#mayBeFull = true
    }
    this.onConsumed()
  }

  /** The socket has sent all that waited. */
  onDrain(): void {
    this.#replyBytes = 0
    this.onConsumed()
  }

  /** Something was taken out of a queue. */
  onConsumed(): void {
    if (this.#state === PAUSED) this.adjust()
  }

  /** Pauses or resumes reading, by what is queued now. */
  adjust(): void {
    if (!this.#mayBeFull || this.#state === RELEASED) return
    if (this.#isFull()) {
      this.#pause()
    } else {
      this.#mayBeFull = false
      this.#resume()
    }
  }

  /** From now on everything is read: it is dropped, or there is no more. */
  release(): void {
    this.#resume()
    this.#state = RELEASED
  }

  #pause(): void {
    if (this.#state === PAUSED) return
    this.#state = PAUSED
    this.#socket.pause()
    // The socket emits no 'drain' if less than its high-water mark waits.
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
    const window = maxBufferedPerRequest * (this.#exchanges.size > 1 ? 1 : ALONE)
    let total = 0
    for (const exchange of this.#exchanges) {
      if (exchange.ended) continue
      if (holdsUp(exchange.stdin, exchange, window)) return true
      if (exchange.role === 'filter' && holdsUp(exchange.data, exchange, window)) return true
      total += exchange.queuedBytes
    }
    this.#queuedAtMost = total
    return total > maxBufferedPerConnection
  }

  #peekLater(): void {
    this.#peekTimer = setTimeout(() => this.#peek(), PEEK_INTERVAL).unref()
  }

  #peek(): void {
    // Waiting replies are writes, so they notice the end of the connection themselves.
    const unread = this.#isUnread()
    if (unread || this.#isAtLimit()) {
      if (!unread) this.#probe.start()
      this.#peekLater()
    } else {
      // The next piece of input pauses it again.
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

function holdsUp(input: InputQueue, exchange: ServerExchange, window: number): boolean {
  if (input.queuedBytes <= window) return false
  if (!exchange.headSent || input.wanted) return true
  // The response has begun and nobody has asked for this body. A front server that sends the whole body before it reads
  // (mod_fcgid, Caddy) would wait forever.
  input.discard()
  return false
}
