// What the constructor of http.Server adds to its server: a listener that reads HTTP from each connection, and one that starts the
// timer of its time-outs.

import { Server } from 'node:http'
import type { Socket } from 'node:net'

const sample = new Server()
const READ_HTTP: readonly unknown[] = sample.listeners('connection')
const START_TIMER = sample.listeners('listening') as (() => void)[]

/** Calls the app's listeners for 'connection', and not Node's own, which would read HTTP. */
export function emitConnection(server: Server, socket: Socket): void {
  if (server.listenerCount('connection') <= READ_HTTP.length) return
  for (const listener of server.rawListeners('connection')) {
    if (!READ_HTTP.includes(listener)) listener.call(server, socket)
  }
}

/** Keeps 'listening' from starting Node's timer, which only close() of an HTTP server stops. */
export function removeTimer(server: Server): void {
  for (const listener of START_TIMER) server.removeListener('listening', listener)
}
