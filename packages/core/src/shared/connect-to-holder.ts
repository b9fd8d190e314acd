import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { codeOf } from '../listen/listen-error.ts'

// Milliseconds. A holder whose queue is full is tried again after this time.
const BUSY_PAUSE = 20

/**
 * Connects to the holder whose socket is at `path`. While its queue is full, it tries again. Resolves with undefined if its process no longer
 * holds the app, or if the front server closes `front`, the connection that needs the holder.
 */
export async function connectToHolder(path: string, front: Socket | undefined): Promise<Socket | undefined> {
  for (;;) {
    try {
      return await connected(path)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
      if (code !== 'EAGAIN') throw error
    }
    if (front !== undefined) probe(front)
    await setTimeout(BUSY_PAUSE)
    if (front?.destroyed) return undefined
  }
}

/** Starts to connect to the holder whose socket is at `path`. */
export function startConnecting(path: string): Socket {
  return connect({ path, allowHalfOpen: true })
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = startConnecting(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      resolve(socket)
    })
  })
}

// Destroys `socket` if its peer has closed the connection. It is not read, so nothing else would show that. An empty write sends nothing. On a
// Unix socket it fails if the peer has closed both directions, but not if the peer has closed its write side and waits for the response.
// On TCP, where both look the same, it fails only after a reset: to tell them apart takes a record (peer-probe.ts) with the id of the request, which
// only the holder reads, and the holder probes the front server through the relay once it has the request.
function probe(socket: Socket): void {
  if (socket.listenerCount('error') === 0) socket.on('error', () => {})
  socket.write('')
}
