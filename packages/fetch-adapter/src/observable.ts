import type { Exchange, Handler } from '@fcgi-bridge/core'
import { HttpServerEvents } from '@fcgi-bridge/core/monitoring'
import type { IncomingRequest } from './observed/incoming-request.ts'
import type * as Observe from './observed/observe.ts'

/**
 * Makes requests visible to monitoring tools that observe node:http: OpenTelemetry, Sentry, Datadog and others. Without such a tool,
 * `respond` is called directly, and nothing is loaded or built for tools.
 */
export function observable(respond: (exchange: Exchange) => void): Handler {
  const events = new HttpServerEvents((request) => {
    const { exchange } = request as Partial<IncomingRequest>
    // A request without an exchange is not from this adapter: a tool emitted it.
    if (exchange === undefined) return
    try {
      respond(exchange)
    } catch (error) {
      // The tools do not see the error: an HTTP server for fetch handlers also catches it, and sends a 500.
      exchange.fail(error)
    }
  })
  const run = ({ observe }: typeof Observe, exchange: Exchange): void => {
    if (!exchange.ended) observe(exchange, events)
  }
  // Most tools are set up before the app. Import now, so that the first request does not wait.
  if (events.isObserved) void load()
  return (exchange) => {
    if (!events.isObserved) respond(exchange)
    else if (loaded !== undefined) run(loaded, exchange)
    else return load().then((module) => run(module, exchange))
    return undefined
  }
}

let loaded: typeof Observe | undefined

async function load(): Promise<typeof Observe> {
  loaded = await import('./observed/observe.ts')
  return loaded
}
