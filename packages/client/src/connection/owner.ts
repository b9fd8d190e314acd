import type { ExchangeObserver } from '../observer.ts'
import type { ClientExchange } from './exchange.ts'

/** The options of a connection. Times are in milliseconds; a `connectTimeout` of 0 is no limit. */
export interface ConnectionOptions {
  readonly keepConn: boolean
  readonly connectTimeout: number
  readonly observer: ExchangeObserver | undefined
}

/** The owner of connections of the type `Connection`. */
export interface ConnectionOwner<Connection> {
  onOpen(connection: Connection): void
  /** The first bytes were received on the connection. */
  onFirstBytes(connection: Connection): void
  /** A request has ended, and the connection can take another. */
  onFree(connection: Connection): void
  /** The request has to be sent again on another connection, because this one takes one request at a time. */
  onRefused(exchange: ClientExchange): void
  /** The application did not end a request that was aborted: it ignores FCGI_ABORT_REQUEST. */
  onAbortIgnored(): void
  /** The current time, in units of the owner's choice. */
  readonly clock: number
  /** {@link onAbortIgnored} was called before. */
  readonly abortsIgnored: boolean
  /**
   * The connection has closed; called once. `error` is undefined if one side closed it while no request ran. `byPeer`: the
   * application closed it. `returned`: requests that have to be sent again on another connection.
   */
  onClose(
    connection: Connection,
    error: Error | undefined,
    byPeer: boolean,
    returned: readonly ClientExchange[],
  ): void
}
