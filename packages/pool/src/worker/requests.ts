import { subscribe } from 'node:diagnostics_channel'
import { EXCHANGE_CHANNEL, type ExchangeMessage } from '@fcgi-bridge/core'
import type { RunningRequest } from './messages.ts'

/** Counts this process's FastCGI requests, and lists the running ones. */
export class RequestLog {
  /** Requests that have begun. */
  count = 0
  readonly #running = new Set<ExchangeMessage>()
  readonly #reported = new WeakSet<ExchangeMessage>()

  /** `onRequest` is called when a request begins. */
  constructor(onRequest: (count: number) => void) {
    subscribe(`tracing:${EXCHANGE_CHANNEL}:start`, (message) => {
      this.#running.add(message as ExchangeMessage)
      onRequest(++this.count)
    })
    subscribe(`tracing:${EXCHANGE_CHANNEL}:end`, (message) => {
      this.#running.delete(message as ExchangeMessage)
    })
  }

  get active(): number {
    return this.#running.size
  }

  /** The request that has run for the longest time. */
  get oldest(): RunningRequest | undefined {
    const [first] = this.#running
    return first && describe(first)
  }

  /** The requests that run, the oldest first. */
  running(): RunningRequest[] {
    return [...this.#running].map(describe)
  }

  /** The requests that run for at least `age` milliseconds and that no earlier call returned. */
  takeSlow(age: number): RunningRequest[] {
    const limit = performance.now() - age
    const slow: ExchangeMessage[] = []
    // A Set keeps the order in which the requests began.
    for (const message of this.#running) {
      if (message.startTime > limit) break
      if (!this.#reported.has(message)) slow.push(message)
    }
    for (const message of slow) this.#reported.add(message)
    return slow.map(describe)
  }
}

function describe({ exchange, method, target, startTime }: ExchangeMessage): RunningRequest {
  return {
    method,
    target,
    remoteAddress: exchange.remoteAddress,
    age: Math.round(performance.now() - startTime),
  }
}
