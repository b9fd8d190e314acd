import type { Duplex } from 'node:stream'
import type { ServerExchange } from './exchange.ts'
import type { InputQueue } from './input.ts'

// Queued input of one request (bytes) at which reading stops: while it is alone on the connection, and while
// others, which a stopped socket would hold up, run beside it.
const WINDOW = 128 * 1024
const WINDOW_SHARED = 1024 * 1024

// While input waits for its reader, a little more is read this often (milliseconds), up to the shared window: an
// abort, or the end of the connection, may stand behind it, and a stopped socket tells of neither.
const PEEK_INTERVAL = 250

// Replies (bytes) that may wait for a peer which asks without reading.
const REPLIES_MAX = 64 * 1024

/** Decides when a connection reads: bodies that nobody takes stop it, so that they wait in the front server. */
export class ReadControl {
  readonly #socket: Duplex
  readonly #exchanges: ReadonlyMap<number, ServerExchange>
  #reading = true
  #stopped = false
  #mayBeFull = false
  #replyBytes = 0
  #peekTimer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, exchanges: ReadonlyMap<number, ServerExchange>) {
    this.#socket = socket
    this.#exchanges = exchanges
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

  /** The socket has sent all that waited. */
  onDrain(): void {
    this.#replyBytes = 0
    this.onConsumed()
  }

  /** Something was taken out of a queue, or a request ended. */
  onConsumed(): void {
    if (!this.#reading) this.adjust()
  }

  /** Stops or goes on, by what is queued now. */
  adjust(): void {
    if (!this.#mayBeFull || this.#stopped) return
    if (this.#isFull()) {
      if (!this.#reading) return
      this.#reading = false
      this.#socket.pause()
      this.#peekLater()
    } else {
      this.#mayBeFull = false
      this.#resume()
    }
  }

  /** From now on all is read: it is dropped, or there is no more. */
  release(): void {
    this.#stopped = true
    this.#resume()
  }

  #resume(): void {
    if (this.#reading) return
    this.#reading = true
    clearTimeout(this.#peekTimer)
    this.#socket.resume()
  }

  #isFull(): boolean {
    if (this.#replyBytes > REPLIES_MAX) return true
    const window = this.#exchanges.size > 1 ? WINDOW_SHARED : WINDOW
    for (const exchange of this.#exchanges.values()) {
      if (exchange.ended) continue
      if (holdsUp(exchange.stdin, exchange, window)) return true
      if (exchange.role === 'filter' && holdsUp(exchange.data, exchange, window)) return true
    }
    return false
  }

  #peekLater(): void {
    this.#peekTimer = setTimeout(() => {
      for (const exchange of this.#exchanges.values()) {
        if (exchange.stdin.queuedBytes > WINDOW_SHARED) return this.#peekLater()
      }
      // The next piece stops it again.
      this.#resume()
    }, PEEK_INTERVAL)
    this.#peekTimer.unref()
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
