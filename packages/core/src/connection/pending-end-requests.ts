import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { EndRequest } from './output.ts'

// nginx stops sending once it has a response head: the wait ends when no STDIN has arrived for this long (milliseconds).
const PAUSE = 500

/** What ends the wait for the end of STDIN: time (milliseconds) and bytes. */
export interface HoldLimits {
  readonly lingerTimeout: number
  readonly lingerBytes: number
}

interface Held {
  readonly exchange: ServerExchange
  readonly end: EndRequest
  /** Milliseconds of the monotonic clock. */
  readonly until: number
  heardAt: number
  bytes: number
}

/**
 * END_REQUESTs of responses that were sent before all of STDIN had arrived. With FCGI_KEEP_CONN they wait for the end of STDIN,
 * because H2O crashes otherwise. They are sent earlier when the front server pauses, or exceeds a limit in time or bytes.
 */
export class PendingEndRequests {
  readonly #limits: HoldLimits
  readonly #release: (exchange: ServerExchange, end: EndRequest) => void
  readonly #held = new Map<number, Held>()
  #timer: NodeJS.Timeout | undefined

  /** `release` is called for an END_REQUEST that is due because the front server pauses or takes too long. */
  constructor(limits: HoldLimits, release: (exchange: ServerExchange, end: EndRequest) => void) {
    this.#limits = limits
    this.#release = release
  }

  hold(exchange: ServerExchange, end: EndRequest): void {
    const heardAt = performance.now()
    const until = heardAt + this.#limits.lingerTimeout
    this.#held.set(exchange.requestId, { exchange, end, until, heardAt, bytes: 0 })
    this.#timer ??= setTimeout(() => this.#releaseOverdue(), PAUSE)
  }

  /** STDIN of a request whose response was sent has arrived and was dropped. False when a limit is exceeded. */
  onDropped({ requestId }: ServerExchange, length: number): boolean {
    const held = this.#held.get(requestId)
    if (held === undefined) return true
    held.heardAt = performance.now()
    held.bytes += length
    return held.bytes <= this.#limits.lingerBytes && held.heardAt <= held.until
  }

  /** Returns the END_REQUEST of `exchange`, which no longer waits; undefined if it did not. */
  take({ requestId }: ServerExchange): EndRequest | undefined {
    const held = this.#held.get(requestId)
    if (held === undefined) return undefined
    this.#held.delete(requestId)
    if (this.#held.size === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    return held.end
  }

  #releaseOverdue(): void {
    this.#timer = undefined
    const now = performance.now()
    let wait = PAUSE
    for (const { exchange, heardAt, until } of [...this.#held.values()]) {
      const left = Math.min(heardAt + PAUSE, until) - now
      if (left > 0) wait = Math.min(wait, left)
      else this.#release(exchange, this.take(exchange)!)
    }
    if (this.#held.size > 0) this.#timer ??= setTimeout(() => this.#releaseOverdue(), Math.ceil(wait))
  }
}
