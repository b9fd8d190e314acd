import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ProtocolError } from '../protocol/error.ts'

/** The events of a `FastCgiServer`. */
export interface ServerEvents {
  /** It listens on one more address. */
  listening: [address: AddressInfo | string]
  /** A front server connected. */
  connection: [socket: Duplex]
  /** A peer sent what is no FastCGI. The connection is closed; nothing else is harmed. */
  protocolError: [error: ProtocolError, remoteAddress: string | undefined]
  /** All is closed. */
  close: []
}
