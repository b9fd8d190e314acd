import type { Connection } from '../connection/connection.ts'

/** A snapshot of a server: {@link FastCgiServer.stats}. */
export interface ServerStats {
  /**
   * `'idle'` before `listen()`, `'listening'`, `'draining'` from the call of `close()`, and `'closed'` when that has settled. A server
   * that is only given streams stays `'idle'`.
   */
  state: 'idle' | 'listening' | 'draining' | 'closed'
  /** Open connections, including those whose write side has been shut. */
  connections: number
  /** Open connections on which no request runs. */
  idleConnections: number
  /** Requests that have begun and whose END_REQUEST has not been sent. */
  runningRequests: number
  /** Promises given to `waitUntil` that have not settled. */
  pendingPromises: number
  /** Connections accepted since the server was made. It only grows. */
  acceptedConnections: number
  /** Requests begun since the server was made, without those refused as one too many. It only grows. */
  acceptedRequests: number
}

/** Counts connections and requests. The numbers come from the connections themselves, so they cannot drift. */
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
