import type { Duplex } from 'node:stream'
import type { ActiveRequests } from './active-requests.ts'
import type { InputQueue } from './input.ts'
import type { PeerProbe } from './peer-probe.ts'
import type { ServerExchange } from './server-exchange.ts'

// Queued input of one request (bytes) at which reading stops: while it is alone on the connection, and while
// others, which a stopped socket would hold up, run beside it.
const WINDOW = 128 * 1024
const WINDOW_SHARED = 1024 * 1024

// While input waits for its reader, a little more is read this often (milliseconds), up to the shared window: an
// abort, or the end of the connection, may stand behind it, and a stopped socket tells of neither.
const PEEK_INTERVAL = 100

// Replies and finished answers (bytes) that may wait for a peer which asks without reading.
const REPLIES_MAX = 64 * 1024

// Reading; stopped by what is queued; reading whatever comes.
const READING = 0
const PAUSED = 1
const RELEASED = 2

/** Decides when a connection reads: bodies that nobody takes stop it, so that they wait in the front server. */
export class ReadControl {
  readonly #socket: Duplex
  readonly #exchanges: ActiveRequests
  readonly #probe: PeerProbe
  #state = READING
  #mayBeFull = false
  #replyBytes = 0
  #peekTimer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, exchanges: ActiveRequests, probe: PeerProbe) {
    this.#socket = socket
    this.#exchanges = exchanges
    this.#probe = probe
  }

  /** False while the peer could not send, had it something to send. */
  get reading(): boolean {
    return this.#state !== PAUSED
  }

  /** Input was queued. */
  onQueued(input: InputQueue): void {
    if (input.queuedBytes > WINDOW) this.#mayBeFull = true
  }

  /** A record that nobody of the app wrote waits in the socket. */
  onReplyWaiting(length: number): void {
    this.#replyBytes += length
    this.#mayBeFull = true
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
    if (this.#replyBytes > REPLIES_MAX) return true
    const window = this.#exchanges.size > 1 ? WINDOW_SHARED : WINDOW
    for (const exchange of this.#exchanges) {
      if (exchange.ended) continue
      if (holdsUp(exchange.stdin, exchange, window)) return true
      if (exchange.role === 'filter' && holdsUp(exchange.data, exchange, window)) return true
    }
    return false
  }

  #peekLater(): void {
    this.#peekTimer = setTimeout(() => this.#peek(), PEEK_INTERVAL).unref()
  }

  #peek(): void {
    // Replies that nobody reads are writes that wait, and tell of the end themselves.
    const unread = this.#replyBytes > REPLIES_MAX
    if (unread || this.#isAtLimit()) {
      if (!unread) this.#probe.start()
      this.#peekLater()
    } else {
      // The next piece stops it again.
      this.#resume()
    }
  }

  #isAtLimit(): boolean {
    for (const { queuedBytes } of this.#exchanges) {
      if (queuedBytes > WINDOW_SHARED) return true
    }
    return false
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
