import type { IncomingMessage } from 'node:http'
import type { Exchange } from '@fcgi-bridge/core'

/** An exchange that monitoring tools see. */
export interface WithIncoming {
  /** The request that they see. */
  readonly incoming: IncomingMessage
}

/** The request that monitoring tools see for an exchange; undefined while nobody observes. */
export function incomingOf(exchange: Exchange): IncomingMessage | undefined {
  return (exchange as Partial<WithIncoming>).incoming
}
