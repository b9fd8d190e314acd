import type { EndRequest } from './output.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'

// nginx stops sending once it has a response head: the wait ends when nothing has come for this long (milliseconds).
const PAUSE = 500

/** What ends a wait beside the end of STDIN. */
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
 * END_REQUESTs of answers that were given before all of STDIN was there. With KEEP_CONN they wait for its end, for H2O
 * dies otherwise; until the front server pauses, or sends more, or for longer, than the limits say.
 */
export class HeldEnds {
  readonly #limits: HoldLimits
  readonly #release: (exchange: ServerExchange, end: EndRequest) => void
  readonly #held = new Map<number, Held>()
  #timer: NodeJS.Timeout | undefined

  /** `release` is called for those that the front server lets wait for too long: it pauses. */
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

  /** STDIN of an answered request came, and was dropped. False when it is too much of it. */
  onDropped({ requestId }: ServerExchange, length: number): boolean {
    const held = this.#held.get(requestId)
    if (held === undefined) return true
    held.heardAt = performance.now()
    held.bytes += length
    return held.bytes <= this.#limits.lingerBytes && held.heardAt <= held.until
  }

  /** The END_REQUEST of `exchange`, which is held no more. */
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
