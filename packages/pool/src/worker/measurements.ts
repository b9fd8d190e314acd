import { subscribe } from 'node:diagnostics_channel'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { EXCHANGE_CHANNEL, type ExchangeMessage, type FastCgiServer, SERVER_CHANNEL } from '@fcgi-bridge/core'
import {
  DURATION_BOUNDS,
  noCounters,
  type Refusal,
  type RunningRequest,
  type WorkerDetails,
} from './messages.ts'

// Milliseconds between two samples of the event loop's delay. A shorter time would wake an idle process more often.
const RESOLUTION = 50

// The code of the error of a refused request, and why it was refused. Other codes are failures of the app, or aborts.
const REFUSALS: Record<string, Refusal> = {
  FCGI_ERR_PARAMS: 'params',
  FCGI_ERR_PARAMS_COUNT: 'params',
  FCGI_ERR_PARAMS_LENGTH: 'params',
  FCGI_ERR_HEADER_LENGTH: 'params',
  FCGI_ERR_METHOD: 'params',
  FCGI_ERR_TARGET: 'params',
  FCGI_ERR_HEADER: 'params',
  FCGI_ERR_AUTHORITY: 'params',
  FCGI_ERR_CONTENT_LENGTH: 'body',
  FCGI_ERR_BODY_LENGTH: 'body',
  FCGI_ERR_BODY_TOO_LARGE: 'body',
}

/** Measures the requests, connections and processor time of this process for monitoring. Created before the program loads. */
export class Measurements {
  readonly #counters = noCounters()
  readonly #servers = new Set<FastCgiServer>()
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  #protocolErrors = 0

  constructor() {
    this.#loopDelay.enable()
    subscribe(`tracing:${EXCHANGE_CHANNEL}:end`, (message) => this.#onEnd(message as ExchangeMessage))
    subscribe(SERVER_CHANNEL, (message) => this.#onServer(message as FastCgiServer))
  }

  /** A number that grows with each connection that opens or closes, and with each refusal. */
  get events(): number {
    let events = this.#protocolErrors
    for (const server of this.#servers) {
      const { acceptedConnections, connections, refusedRequests } = server.stats()
      events += 2 * acceptedConnections - connections + refusedRequests
    }
    return events
  }

  /** The numbers as they are now. The event loop's delay is that since the last call. */
  take(oldest: RunningRequest | undefined): WorkerDetails {
    const counters = this.#counters
    const { user, system } = process.cpuUsage()
    counters.cpu = (user + system) / 1e6
    counters.connections = 0
    counters.refused.overloaded = 0
    counters.refused.protocol = this.#protocolErrors
    let activeConnections = 0
    let idleConnections = 0
    for (const server of this.#servers) {
      const stats = server.stats()
      counters.connections += stats.acceptedConnections
      counters.refused.overloaded += stats.refusedRequests
      activeConnections += stats.connections - stats.idleConnections
      idleConnections += stats.idleConnections
    }
    return {
      counters,
      activeConnections,
      idleConnections,
      loopDelay: this.#takeLoopDelay(),
      ...(oldest !== undefined && { oldest }),
    }
  }

  #onEnd({ startTime, endTime, status, error, bytesIn, bytesOut }: ExchangeMessage): void {
    const counters = this.#counters
    const duration = (endTime! - startTime) / 1000
    let bucket = 0
    while (duration > DURATION_BOUNDS[bucket]!) bucket++
    counters.durations[bucket]!++
    counters.durationSum += duration
    counters.codes[status === undefined ? 0 : Math.floor(status / 100)]!++
    counters.bytesIn += bytesIn
    counters.bytesOut += bytesOut
    if (error === undefined) return
    const refusal = REFUSALS[String((error as NodeJS.ErrnoException).code)]
    if (refusal !== undefined) counters.refused[refusal]++
  }

  #onServer(server: FastCgiServer): void {
    if (this.#servers.has(server)) return
    this.#servers.add(server)
    server.on('protocolError', () => {
      this.#protocolErrors++
    })
  }

  // Node measures the time from one sample to the next.
  #takeLoopDelay(): WorkerDetails['loopDelay'] {
    const histogram = this.#loopDelay
    const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION / 1000)
    const delay = {
      p50: seconds(histogram.percentile(50)),
      p99: seconds(histogram.percentile(99)),
      max: seconds(histogram.max),
    }
    histogram.reset()
    return delay
  }
}
