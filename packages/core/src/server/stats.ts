import type { Connection } from '../connection/connection.ts'

/** A snapshot of a server: {@link FastCgiServer.stats}. */
export interface ServerStats {
  /**
   * `'idle'` before `listen()`, then `'listening'`, `'draining'` after the call of `close()`, and `'closed'` when its promise has settled.
   * A server that serves only streams stays `'idle'`.
   */
  state: 'idle' | 'listening' | 'draining' | 'closed'
  /** Open connections, including those whose write side has been shut. */
  connections: number
  /** Open connections without a running request. */
  idleConnections: number
  /** Requests that have begun and whose END_REQUEST has not been sent. */
  runningRequests: number
  /** Promises passed to `waitUntil` that have not settled. */
  pendingPromises: number
  /** Connections that have been accepted since the server was created. It never decreases. */
  acceptedConnections: number
  /**
   * Requests that have begun since the server was created, without those refused because of `maxRequests` or `maxRequestsPerConnection`.
   * It never decreases.
   */
  acceptedRequests: number
  /** Requests that got a 503 with FCGI_OVERLOADED since the server was created. It never decreases. */
  refusedRequests: number
}

/** Counts connections and requests. The numbers are computed from the connections, so they are always correct. */
export function countConnections(
  connections: ReadonlySet<Connection>,
): Pick<ServerStats, 'connections' | 'idleConnections' | 'runningRequests'> {
  let idleConnections = 0
  let runningRequests = 0
  for (const { requests } of connections) {
    if (requests === 0) idleConnections++
    runningRequests += requests
  }
  return { connections: connections.size, idleConnections, runningRequests }
}
