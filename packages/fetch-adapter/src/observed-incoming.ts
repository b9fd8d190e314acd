import type { IncomingMessage } from 'node:http'
import type { Exchange } from '@fcgi-bridge/core'

const kIncoming: unique symbol = Symbol('incoming')

interface Observed {
  [kIncoming]?: IncomingMessage
}

/** Says which request tools see for an exchange. */
export function setIncoming(exchange: Exchange, request: IncomingMessage): void {
  ;(exchange as Observed)[kIncoming] = request
}

/** The request that tools see for an exchange; undefined while nobody observes. */
export function incomingOf(exchange: Exchange): IncomingMessage | undefined {
  return (exchange as Observed)[kIncoming]
}
