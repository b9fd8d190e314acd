/**
 * The life of a connection, from accept to close. An event has no effect in a state without a row for it.
 *
 * | state                   | event     | what the connection does                                            | next state    |
 * | ----------------------- | --------- | ------------------------------------------------------------------- | ------------- |
 * | `open`                  | `drain`   | closes when no request can be in transit (connection-drain.ts)      | `draining`    |
 * | `open`, `draining`      | `finish`  | begins no new request; the running ones continue                    | `finishing`   |
 * | `open` to `finishing`   | `peerEnd` | sends each held END_REQUEST, and aborts incomplete requests;        | `half-closed` |
 * |                         |           | the complete ones continue                                          |               |
 * | `open` to `half-closed` | `shut`    | closes its write side after all output, and drops input (linger.ts) | `lingering`   |
 * | `lingering`             | `drain`   | shortens the wait for the peer                                      | `lingering`   |
 * | `lingering`             | `peerEnd` | no longer waits: the socket is closed after all output              | `lingering`   |
 * | all but `closed`        | `close`   | aborts the running requests                                         | `closed`      |
 *
 * In `finishing` and `half-closed`, `shut` follows as soon as no request is running.
 *
 * The states:
 *
 * - `open`: the connection reads records and begins requests (FastCGI 1.0 section 3.5).
 * - `draining`: the server is closing. Requests still begin, because a front server that reuses the connection may already have sent one.
 * - `finishing`: the connection is shut after the last running request.
 * - `half-closed`: the peer has closed its write side. Complete requests still get their response, because some peers close early and wait
 *   for it. END_REQUEST is no longer held (pending-end-requests.ts), because no more STDIN can arrive. nginx closes the whole connection when
 *   its client disconnects, which looks the same, so the connection probes whether the peer is still there (peer-probe.ts).
 * - `lingering`: no request is left, and the server's write side is closed. Input is read and dropped for a while, because closing a socket
 *   with unread input resets it, and the peer may then lose the response. After the response to a request that has arrived completely, the
 *   socket is closed at once instead.
 * - `closed`: the socket is closed.
 */
export type ConnectionState = 'open' | 'draining' | 'finishing' | 'half-closed' | 'lingering' | 'closed'

/**
 * The events that change the state:
 *
 * - `drain`: the server closes.
 * - `finish`: a request without FCGI_KEEP_CONN ended (section 5.5), the peer violated the protocol, the connection was idle for too
 *   long, or the peer sent too much of a request body after the response had ended.
 * - `peerEnd`: the peer closed its write side.
 * - `shut`: nothing is left to do, or the server gives up the connection.
 * - `close`: the socket was closed.
 */
export type ConnectionEvent = 'drain' | 'finish' | 'peerEnd' | 'shut' | 'close'

// The table as code, without the rows that keep the state.
const NEXT: Readonly<Record<ConnectionState, Readonly<Partial<Record<ConnectionEvent, ConnectionState>>>>> = {
  open: {
    drain: 'draining',
    finish: 'finishing',
    peerEnd: 'half-closed',
    shut: 'lingering',
    close: 'closed',
  },
  draining: { finish: 'finishing', peerEnd: 'half-closed', shut: 'lingering', close: 'closed' },
  finishing: { peerEnd: 'half-closed', shut: 'lingering', close: 'closed' },
  'half-closed': { shut: 'lingering', close: 'closed' },
  lingering: { close: 'closed' },
  closed: {},
}

/** The state after `event`. */
export function nextState(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  return NEXT[state][event] ?? state
}

/** The connection was shut: nothing more is sent, and input is dropped. */
export function isShut(state: ConnectionState): boolean {
  return state === 'lingering' || state === 'closed'
}
