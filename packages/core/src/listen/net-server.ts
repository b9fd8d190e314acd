import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** Creates a server for the connections of front servers. */
export function createFrontServer(
  onConnection: (socket: Socket) => void,
  options: { pauseOnConnect?: boolean } = {},
): Server {
  // Half-open, because a peer that has sent its request may close its write side and wait for the response.
  return createServer(
    { allowHalfOpen: true, noDelay: true, highWaterMark: 64 * 1024, ...options },
    onConnection,
  )
}

/** Calls `listen` and settles when `server` listens. Rejects if it cannot. */
export async function listening(server: Server, listen: () => void): Promise<void> {
  const done = once(server, 'listening')
  try {
    listen()
  } catch (error) {
    done.catch(() => {})
    throw error
  }
  await done
}

/** Closes `server`. Settles when its connections are closed, too. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
