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
 * - `draining`: the server is closing. Requests still begin, because a front server that reuses the connection may have sent
 *   one. departure.ts says when the connection is shut.
 * - `finishing`: running requests go on, no request begins, and the connection is shut after the last one.
 * - `half-closed`: the peer has closed its write side. A request that has not come in whole is aborted. A request that has is
 *   answered, because some peers close early and wait for the response. An END_REQUEST that was held for the end of STDIN
 *   is sent. nginx closes the whole connection when its client leaves, which looks the same: the peer is probed.
 * - `lingering`: no request is left and the write side is shut. Input is read and dropped for a while, because closing a
 *   socket that holds unread input resets it, and the peer may lose the response.
 * - `closed`: the socket is gone. Requests that still ran were aborted.
 */
export type ConnectionState = 'open' | 'draining' | 'finishing' | 'half-closed' | 'lingering' | 'closed'

/**
 * What changes the state:
 *
 * - `drain`: the server closes.
 * - `finish`: a request without FCGI_KEEP_CONN ended (section 5.5), the peer broke the protocol, the connection was idle for too
 *   long, or the peer sent too much of a request body that nobody reads.
 * - `peerEnd`: the peer closed its write side.
 * - `shut`: nothing is left to do, or the connection is given up: our write side is closed after what was written.
 * - `close`: the socket is gone.
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
