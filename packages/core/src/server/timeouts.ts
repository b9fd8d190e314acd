import type { Connection } from '../connection/connection.ts'
import { ExchangeError } from '../exchange/error.ts'
import type { InputQueue } from '../exchange/input.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'

/** Times (milliseconds); 0 is none. */
export interface Timeouts {
  readonly paramsTimeout: number
  readonly bodyTimeout: number
  readonly requestTimeout: number
  readonly idleTimeout: number
  readonly writeTimeout: number
}

/**
 * Ends what has waited too long. Ages are counted in ticks of `tickLength` milliseconds: a clock that jumps
 * ends nothing, and a request sets no timer.
 */
export function sweep(
  connections: Iterable<Connection>,
  tick: number,
  tickLength: number,
  timeouts: Timeouts,
): void {
  // One tick more: the first is cut short by when it began.
  const isOver = (since: number, timeout: number): boolean =>
    timeout > 0 && (tick - since - 1) * tickLength >= timeout
  for (const connection of [...connections]) {
    if (isOver(connection.writeTick(), timeouts.writeTimeout)) {
      const message = `The front server took nothing of the answer for ${timeouts.writeTimeout} ms.`
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
        // What waits behind the body of another, that nobody reads, can not come.
        if (!connection.reading) exchange.beganTick = tick
        else if (isOver(exchange.beganTick, timeouts.paramsTimeout)) exchange.respond(408)
      } else if (isOver(exchange.beganTick, timeouts.requestTimeout)) {
        expire(exchange, 504, `The request took more than ${timeouts.requestTimeout} ms.`)
      } else if (!connection.reading) {
        // Nothing can come.
        exchange.inputTick = tick
      } else if (isStalled(exchange) && isOver(exchange.inputTick, timeouts.bodyTimeout)) {
        expire(exchange, 408, `Nothing of the request body came for ${timeouts.bodyTimeout} ms.`)
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
