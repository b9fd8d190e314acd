import type { Connection } from '../connection/connection.ts'
import { ExchangeError } from '../exchange/error.ts'
import type { InputQueue } from '../exchange/input.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'

/** Time-outs in milliseconds; 0 turns one off. See `ServerOptions`. */
export interface Timeouts {
  readonly paramsTimeout: number
  readonly bodyTimeout: number
  readonly requestTimeout: number
  readonly idleTimeout: number
  readonly writeTimeout: number
}

/**
 * Ends connections and requests whose time-out has expired. Ages are counted in ticks of `tickLength` milliseconds, so that changes of the
 * system clock have no effect, and requests need no timers.
 */
export function sweep(
  connections: Iterable<Connection>,
  tick: number,
  tickLength: number,
  timeouts: Timeouts,
): void {
  // Subtract one tick, because the first one may be nearly over when the age begins.
  const isOver = (since: number, timeout: number): boolean =>
    timeout > 0 && (tick - since - 1) * tickLength >= timeout
  for (const connection of [...connections]) {
    if (isOver(connection.writeTick(), timeouts.writeTimeout)) {
      const message = `The front server read nothing of the response for ${timeouts.writeTimeout} ms (writeTimeout).`
      connection.destroy('FCGI_ERR_TIMEOUT', message)
      continue
    }
    if (connection.requests === 0) {
      if (isOver(connection.idleTick, timeouts.idleTimeout)) connection.finish()
      continue
    }
    for (const exchange of connection.exchanges) {
      if (exchange.ended) continue
      if (!exchange.begun) {
        // While reading is paused because of another request, PARAMS cannot arrive.
        if (!connection.reading) exchange.beganTick = tick
        else if (isOver(exchange.beganTick, timeouts.paramsTimeout)) exchange.respond(408)
      } else if (isOver(exchange.beganTick, timeouts.requestTimeout)) {
        expire(exchange, 504, `The request took more than ${timeouts.requestTimeout} ms (requestTimeout).`)
      } else if (!connection.reading) {
        // While reading is paused, the body cannot arrive.
        exchange.inputTick = tick
      } else if (isStalled(exchange) && isOver(exchange.inputTick, timeouts.bodyTimeout)) {
        expire(
          exchange,
          408,
          `No part of the request body arrived for ${timeouts.bodyTimeout} ms (bodyTimeout).`,
        )
      }
    }
  }
}

function isStalled(exchange: ServerExchange): boolean {
  return isAwaited(exchange.stdin) || (exchange.role === 'filter' && isAwaited(exchange.data))
}

function isAwaited(input: InputQueue): boolean {
  return input.wanted && !input.complete && input.queuedBytes === 0
}

function expire(exchange: ServerExchange, status: number, message: string): void {
  exchange.abort(new ExchangeError('FCGI_ERR_TIMEOUT', message), status)
}
