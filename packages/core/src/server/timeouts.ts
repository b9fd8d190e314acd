import type { Connection } from '../connection/connection.ts'
import { ExchangeError } from '../exchange/error.ts'
import type { InputQueue } from '../exchange/input.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'

/** The time-outs of a server, in milliseconds. They are checked once a second. */
export interface TimeoutOptions {
  /** Maximum time from BEGIN_REQUEST to the end of PARAMS. If it expires, the request gets a 408. Default 30 s. 0 turns it off. */
  paramsTimeout?: number
  /**
   * Maximum time between two pieces of a request body, while the app waits for it. If it expires, the exchange is aborted, with a 408 if the
   * response has not begun. Default 60 s. 0 turns it off.
   */
  bodyTimeout?: number
  /**
   * Maximum time of a request. If it expires, the exchange is aborted, with a 504 if the response has not begun. Default 0, which turns it
   * off.
   */
  requestTimeout?: number
  /**
   * Maximum time of a connection without a request. If it expires, the connection is closed. Default 5 minutes, which is longer than front
   * servers keep a connection (nginx: 60 s). 0 turns it off.
   */
  idleTimeout?: number
  /**
   * Maximum time during which a front server reads nothing of the buffered output. If it expires, the connection is closed, and its requests
   * are aborted. Default 5 minutes. 0 turns it off.
   */
  writeTimeout?: number
  /** How long input is read and dropped after a response. Default 30 s. */
  lingerTimeout?: number
  /** How long `close()` waits for running requests. Default 7 s, because mod_fcgid kills a process 8 s after its first signal. */
  drainTimeout?: number
}

/** The defaults of {@link TimeoutOptions}. Change LIMITS.md and the doc comments above with them. */
const DEFAULTS: Required<TimeoutOptions> = {
  paramsTimeout: 30_000,
  bodyTimeout: 60_000,
  requestTimeout: 0,
  idleTimeout: 300_000,
  writeTimeout: 300_000,
  lingerTimeout: 30_000,
  drainTimeout: 7000,
}

/** The longest delay of setTimeout(), in milliseconds (24 days). It treats a longer one as 1 ms. */
export const TIMER_MAX: number = 2 ** 31 - 1

/** The names of {@link TimeoutOptions}. */
export const TIMEOUT_NAMES = Object.keys(DEFAULTS) as readonly (keyof TimeoutOptions)[]

/** Returns the time-outs of `options`, with the defaults of those that are absent. */
export function addDefaultTimeouts(options: TimeoutOptions): Required<TimeoutOptions> {
  const timeouts = { ...DEFAULTS }
  for (const name of TIMEOUT_NAMES) timeouts[name] = options[name] ?? DEFAULTS[name]
  return timeouts
}

/**
 * Ends connections and requests whose time-out has expired. Ages are counted in ticks of `tickLength` milliseconds, so that changes of the
 * system clock have no effect, and requests need no timers.
 */
export function sweep(
  connections: Iterable<Connection>,
  tick: number,
  tickLength: number,
  timeouts: Required<TimeoutOptions>,
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
      if (!exchange.paramsEnded) {
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
