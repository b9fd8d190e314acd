/**
 * The life of a connection, from accept to close. Each column is an event, each cell the next state.
 *
 * | state         | drain      | finish       | peerEnd       | shut        | close    |
 * | ------------- | ---------- | ------------ | ------------- | ----------- | -------- |
 * | `open`        | `draining` | `finishing`  | `half-closed` | `lingering` | `closed` |
 * | `draining`    | –          | `finishing`  | `half-closed` | `lingering` | `closed` |
 * | `finishing`   | –          | –            | `half-closed` | `lingering` | `closed` |
 * | `half-closed` | –          | –            | –             | `lingering` | `closed` |
 * | `lingering`   | –          | –            | –             | –           | `closed` |
 * | `closed`      | –          | –            | –             | –           | –        |
 *
 * What the connection does in each state:
 *
 * - `open`: it reads records and begins requests (FastCGI 1.0 section 3.5).
 * - `draining`: the server is closing. Requests still begin, because a front server that reuses the connection may already have sent
 *   one. connection-drain.ts decides when the connection is shut.
 * - `finishing`: running requests continue, and the connection is shut after the last one. No new request begins.
 * - `half-closed`: the peer has closed its write side. Incomplete requests are aborted. Complete requests still get their response,
 *   because some peers close early and wait for it. A pending END_REQUEST is sent. nginx closes the whole connection when its client
 *   disconnects, which looks the same, so the connection probes whether the peer is still there.
 * - `lingering`: no request is left and the server's write side is closed. Input is read and dropped for a while, because closing a socket with
 *   unread input resets it, and the peer may then lose the response. After the response to a request that has arrived completely, the
 *   socket is closed at once instead.
 * - `closed`: the socket is closed. Requests that were still running were aborted.
 */
export type ConnectionState = 'open' | 'draining' | 'finishing' | 'half-closed' | 'lingering' | 'closed'

/**
 * The events that change the state:
 *
 * - `drain`: the server closes.
 * - `finish`: a request without FCGI_KEEP_CONN ended (section 5.5), the peer violated the protocol, the connection was idle for too
 *   long, or the peer sent too much of a request body after the response had ended.
 * - `peerEnd`: the peer closed its write side.
 * - `shut`: nothing is left to do, or the server gives up the connection. The write side is closed after all buffered output.
 * - `close`: the socket was closed.
 */
export type ConnectionEvent = 'drain' | 'finish' | 'peerEnd' | 'shut' | 'close'

const NEXT: Readonly<Record<ConnectionState, Readonly<Record<ConnectionEvent, ConnectionState>>>> = {
  open: {
    drain: 'draining',
    finish: 'finishing',
    peerEnd: 'half-closed',
    shut: 'lingering',
    close: 'closed',
  },
  draining: {
    drain: 'draining',
    finish: 'finishing',
    peerEnd: 'half-closed',
    shut: 'lingering',
    close: 'closed',
  },
  finishing: {
    drain: 'finishing',
    finish: 'finishing',
    peerEnd: 'half-closed',
    shut: 'lingering',
    close: 'closed',
  },
  'half-closed': {
    drain: 'half-closed',
    finish: 'half-closed',
    peerEnd: 'half-closed',
    shut: 'lingering',
    close: 'closed',
  },
  lingering: {
    drain: 'lingering',
    finish: 'lingering',
    peerEnd: 'lingering',
    shut: 'lingering',
    close: 'closed',
  },
  closed: { drain: 'closed', finish: 'closed', peerEnd: 'closed', shut: 'closed', close: 'closed' },
}

/** The state after `event`. */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  return NEXT[state][event]
}
