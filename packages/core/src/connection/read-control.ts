import type { Duplex } from 'node:stream'
import { type InputQueue, PIECE_COST } from '../exchange/input.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { ActiveRequests } from './active-requests.ts'
import type { PeerProbe } from './peer-probe.ts'

/** How much unread input (bytes) a connection holds. */
export interface BufferLimits {
  readonly maxBufferedPerRequest: number
  readonly maxBufferedPerConnection: number
}

// Of a request's share, what one that is alone on its connection uses: nobody else is held up when reading stops.
const ALONE = 1 / 8

// While input waits for its reader, a little more is read this often (milliseconds), up to the request's whole share: an
// abort, or the end of the connection, may stand behind it, and a stopped socket tells of neither.
const PEEK_INTERVAL = 100

// Replies and finished answers (bytes) that may wait for a peer which asks without reading, and what one costs in a stream's
// queue beside its own bytes.
const REPLIES_MAX = 64 * 1024
const REPLY_COST = 256

// Reading; stopped by what is queued; reading whatever comes.
const READING = 0
const PAUSED = 1
const RELEASED = 2

/** Decides when a connection reads: bodies that nobody takes stop it, so that they wait in the front server. */
export class ReadControl {
  readonly #socket: Duplex
  readonly #exchanges: ActiveRequests
  readonly #probe: PeerProbe
  readonly #limits: BufferLimits
  #state = READING
  #mayBeFull = false
  // No more than this (bytes) is queued: what was when it was looked at last, and all that has come since.
  #queuedAtMost = 0
  #replyBytes = 0
  #peekTimer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, exchanges: ActiveRequests, probe: PeerProbe, limits: BufferLimits) {
    this.#socket = socket
    this.#exchanges = exchanges
    this.#probe = probe
    this.#limits = limits
  }

  /** False while the peer could not send, had it something to send. */
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

  /** A record of `length` bytes that nobody of the app wrote went to the socket. False when too many of them wait there. */
  onReply(length: number): boolean {
    if (this.#socket.writableLength === 0) {
      this.#replyBytes = 0
      return true
    }
    this.#replyBytes += length + REPLY_COST
    this.#mayBeFull = true
    return this.#replyBytes <= REPLIES_MAX || this.#state === RELEASED
  }

  /** An answer has ended: what of it waits in the socket is nobody's any more. */
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

  /** Stops or goes on, by what is queued now. */
  adjust(): void {
    if (!this.#mayBeFull || this.#state === RELEASED) return
    if (this.#isFull()) {
      this.#pause()
    } else {
      this.#mayBeFull = false
      this.#resume()
    }
  }

  /** From now on all is read: it is dropped, or there is no more. */
  release(): void {
    this.#resume()
    this.#state = RELEASED
  }

  #pause(): void {
    if (this.#state === PAUSED) return
    this.#state = PAUSED
    this.#socket.pause()
    // There is no 'drain' where less waits than a stream holds.
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
    // Replies that nobody reads are writes that wait, and tell of the end themselves.
    const unread = this.#isUnread()
    if (unread || this.#isAtLimit()) {
      if (!unread) this.#probe.start()
      this.#peekLater()
    } else {
      // The next piece stops it again.
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
  // An answer is under way and nobody has asked for this body: a front server that sends all before it reads
  // (mod_fcgid, Caddy) would wait for ever.
  input.discard()
  return false
}
