import type { IncomingMessage } from 'node:http'
import type { Exchange } from '@fcgi-bridge/core'

/** An exchange that monitoring tools observe. */
export interface WithIncoming {
  /** The request that they see. */
  readonly incoming: IncomingMessage
}

/** Returns the request that monitoring tools see for an exchange. Undefined if no tool observes it. */
export function incomingOf(exchange: Exchange): IncomingMessage | undefined {
  return (exchange as Partial<WithIncoming>).incoming
}
