import type { Exchange, Handler } from '@fcgi-bridge/core'
import { HiddenServer } from '@fcgi-bridge/core/monitoring'
import type { IncomingRequest } from './observed/incoming-request.ts'
import type * as Observe from './observed/observe.ts'

/**
 * Makes `answer` visible to monitoring tools: OpenTelemetry, Sentry, Datadog and others that see HTTP requests through node:http. While
 * there is none, `answer` is called directly, and nothing is loaded or built for them.
 */
export function observable(answer: (exchange: Exchange) => void): Handler {
  const server = new HiddenServer((request) => {
    const { exchange } = request as Partial<IncomingRequest>
    // The request is not one of ours: a tool emitted it.
    if (exchange === undefined) return
    try {
      answer(exchange)
    } catch (error) {
      // Not thrown through the tools, because an HTTP server for fetch handlers answers with a 500, too.
      exchange.fail(error)
    }
  })
  const run = ({ observe }: typeof Observe, exchange: Exchange): void => {
    if (!exchange.ended) observe(exchange, server)
  }
  // Tools are set up before the app most of the time: the first request then need not wait.
  if (server.observed) void load()
  return (exchange) => {
    if (!server.observed) answer(exchange)
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
