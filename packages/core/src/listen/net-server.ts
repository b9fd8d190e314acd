import { once } from 'node:events'
import type { Server } from 'node:net'

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
