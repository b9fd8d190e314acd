// Code shared by the server programs: `node servers/NAME.js ADDRESS [VARIANT]`.

import { setTimeout } from 'node:timers/promises'

/** The address to listen on, for `server.listen()` and core's `serve()`. ADDRESS is a path, or a port of 127.0.0.1. */
export const address = /^\d+$/.test(process.argv[2])
  ? { host: '127.0.0.1', port: Number(process.argv[2]) }
  : { path: process.argv[2] }

/** The variant of the program, if it has several. */
export const variant = process.argv[3]

/** Reports to the benchmark that the server listens, and the milliseconds since Node finished its own start-up. */
export function ready() {
  console.log('listening', performance.now() - performance.nodeTiming.bootstrapComplete)
}

// The benchmark asks for the size of the heap after a full collection, and starts the program with --expose-gc for that. Several collections
// are needed, because objects that a finalizer releases are freed only by the next one.
process.on('message', async () => {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('Start this program with --expose-gc.')
  for (let count = 0; count < 6; count++) {
    gc()
    await setTimeout(20)
  }
  process.send?.(process.memoryUsage().heapUsed)
})

// The benchmark has ended.
process.on('disconnect', () => process.exit())
