import type { IncomingMessage } from 'node:http'
import type { Exchange } from '@fcgi-bridge/core'

const kIncoming: unique symbol = Symbol('incoming')

interface Observed {
  [kIncoming]?: IncomingMessage
}

/** Sets the request that monitoring tools see for an exchange. */
export function setIncoming(exchange: Exchange, request: IncomingMessage): void {
  ;(exchange as Observed)[kIncoming] = request
}

/** Returns the request that monitoring tools see for an exchange. Undefined if no tool observes it. */
export function incomingOf(exchange: Exchange): IncomingMessage | undefined {
  return (exchange as Observed)[kIncoming]
}
