import { stop } from './program-end.ts'
import type { FastCgiServer } from './server.ts'

/** Ends the program, as SIGTERM does, when `server` has had no connection and no new one for `timeout` milliseconds. */
export function endWhenIdle(server: FastCgiServer, timeout: number): void {
  let accepted = -1
  const timer = setInterval(() => {
    const { connections, acceptedConnections } = server.stats()
    const isIdle = connections === 0 && acceptedConnections === accepted
    accepted = acceptedConnections
    if (isIdle) stop('SIGTERM')
  }, timeout)
  // The timer must not keep the program alive.
  timer.unref()
  server.once('close', () => clearInterval(timer))
}
