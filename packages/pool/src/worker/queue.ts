import type { Server } from 'node:net'

// libuv accepts one connection in a turn of the event loop, so the queue is empty after several turns without a connection.
const EMPTY_TURNS = 5

// Milliseconds. New connections may arrive as fast as the old ones are accepted.
const LIMIT = 5000

/** Resolves when no connection waits in the queues of the servers' sockets. */
export async function waitUntilQueuesAreEmpty(servers: readonly Server[]): Promise<void> {
  let isEmpty = true
  const onConnection = (): void => {
    isEmpty = false
  }
  for (const server of servers) server.on('connection', onConnection)
  const end = performance.now() + LIMIT
  for (let turns = 0; turns < EMPTY_TURNS && performance.now() < end; turns++) {
    isEmpty = true
    await new Promise(setImmediate)
    if (!isEmpty) turns = -1
  }
  for (const server of servers) server.removeListener('connection', onConnection)
}
