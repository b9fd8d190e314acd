/**
 * The life of a connection, from accept to close. Each column is an event, each cell the next state.
 *
 * | state         | finish       | peerEnd       | shut        | close    |
 * | ------------- | ------------ | ------------- | ----------- | -------- |
 * | `open`        | `finishing`  | `half-closed` | `lingering` | `closed` |
 * | `finishing`   | –            | `half-closed` | `lingering` | `closed` |
 * | `half-closed` | –            | –             | `lingering` | `closed` |
 * | `lingering`   | –            | –             | –           | `closed` |
 * | `closed`      | –            | –             | –           | –        |
 *
 * What the connection does in each state:
 *
 * - `open`: it reads records and begins requests (FastCGI 1.0 section 3.5).
 * - `finishing`: running requests go on, no request begins, and the connection is shut after the last one. A server that is
 *   closing is the exception: it still begins requests, because a front server that reuses the connection may have sent one.
 * - `half-closed`: the peer has closed its write side. A request that has not come in whole is aborted. A request that has is
 *   answered, because some peers close early and wait for the response. An END_REQUEST that was held for the end of STDIN
 *   is sent. nginx closes the whole connection when its client leaves, which looks the same: the peer is probed.
 * - `lingering`: no request is left and the write side is shut. Input is read and dropped for a while, because closing a
 *   socket that holds unread input resets it, and the peer may lose the response.
 * - `closed`: the socket is gone. Requests that still ran were aborted.
 */
export type ConnectionState = 'open' | 'finishing' | 'half-closed' | 'lingering' | 'closed'

/**
 * What changes the state:
 *
 * - `finish`: a request without FCGI_KEEP_CONN ended (section 5.5), the peer broke the protocol, the connection was idle for too
 *   long, the peer sent too much of a request body that nobody reads, or the server closes.
 * - `peerEnd`: the peer closed its write side.
 * - `shut`: nothing is left to do, or the connection is given up: our write side is closed after what was written.
 * - `close`: the socket is gone.
 */
export type ConnectionEvent = 'finish' | 'peerEnd' | 'shut' | 'close'

const NEXT: Readonly<Record<ConnectionState, Readonly<Record<ConnectionEvent, ConnectionState>>>> = {
  open: { finish: 'finishing', peerEnd: 'half-closed', shut: 'lingering', close: 'closed' },
  finishing: { finish: 'finishing', peerEnd: 'half-closed', shut: 'lingering', close: 'closed' },
  'half-closed': { finish: 'half-closed', peerEnd: 'half-closed', shut: 'lingering', close: 'closed' },
  lingering: { finish: 'lingering', peerEnd: 'lingering', shut: 'lingering', close: 'closed' },
  closed: { finish: 'closed', peerEnd: 'closed', shut: 'closed', close: 'closed' },
}

/** The state after `event`. */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  return NEXT[state][event]
}
