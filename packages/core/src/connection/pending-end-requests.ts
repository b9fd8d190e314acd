import type { ServerExchange } from '../exchange/server-exchange.ts'
import type { EndRequest } from './end-request.ts'

// An END_REQUEST is sent if no STDIN has arrived for this long (milliseconds): nginx stops sending once it has the response head.
const PAUSE = 500

/** How long (milliseconds), and for how many bytes, the server drops input after a response. */
export interface LingerLimits {
  readonly lingerTimeout: number
  readonly lingerBytes: number
}

interface PendingEndRequest {
  readonly exchange: ServerExchange
  readonly end: EndRequest
  /** In milliseconds of `performance.now()`, as `lastInputAt`. */
  readonly deadline: number
  lastInputAt: number
  /** Bytes of STDIN that were dropped. */
  bytes: number
}

/**
 * The END_REQUESTs of responses that ended before all of STDIN had arrived. With FCGI_KEEP_CONN they are held until the end of STDIN,
 * because H2O crashes otherwise. They are sent earlier if the front server pauses, or exceeds a limit in time or bytes.
 */
export class PendingEndRequests {
  readonly #limits: LingerLimits
  readonly #release: (exchange: ServerExchange, end: EndRequest) => void
  readonly #pending = new Map<number, PendingEndRequest>()
  #timer: NodeJS.Timeout | undefined

  /** `release` is called to send an END_REQUEST when the front server pauses or takes too long. */
  constructor(limits: LingerLimits, release: (exchange: ServerExchange, end: EndRequest) => void) {
    this.#limits = limits
    this.#release = release
  }

  /** Holds the END_REQUEST of `exchange`. */
  hold(exchange: ServerExchange, end: EndRequest): void {
    const lastInputAt = performance.now()
    const deadline = lastInputAt + this.#limits.lingerTimeout
    this.#pending.set(exchange.requestId, { exchange, end, deadline, lastInputAt, bytes: 0 })
    this.#timer ??= setTimeout(() => this.#releaseOverdue(), PAUSE)
  }

  /** `length` bytes of STDIN were dropped, because the response of `exchange` has ended. Returns false if a limit is exceeded. */
  onDropped({ requestId }: ServerExchange, length: number): boolean {
    const pending = this.#pending.get(requestId)
    if (pending === undefined) return true
    pending.lastInputAt = performance.now()
    pending.bytes += length
    return pending.bytes <= this.#limits.lingerBytes && pending.lastInputAt <= pending.deadline
  }

  /** Removes and returns the END_REQUEST of `exchange`; undefined if it is not held. */
  take({ requestId }: ServerExchange): EndRequest | undefined {
    const pending = this.#pending.get(requestId)
    if (pending === undefined) return undefined
    this.#pending.delete(requestId)
    if (this.#pending.size === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    return pending.end
  }

  #releaseOverdue(): void {
    this.#timer = undefined
    const now = performance.now()
    let wait = PAUSE
    for (const { exchange, lastInputAt, deadline } of [...this.#pending.values()]) {
      const left = Math.min(lastInputAt + PAUSE, deadline) - now
      if (left > 0) wait = Math.min(wait, left)
      else this.#release(exchange, this.take(exchange)!)
    }
    if (this.#pending.size > 0) this.#timer ??= setTimeout(() => this.#releaseOverdue(), Math.ceil(wait))
  }
}
