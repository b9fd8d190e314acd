// What the server programs have in common: `node servers/NAME.js ADDRESS [VARIANT]`.

import { setTimeout } from 'node:timers/promises'

/** Where to listen: what `server.listen()` and core's `serve()` take. ADDRESS is a path, or a port of 127.0.0.1. */
export const address = /^\d+$/.test(process.argv[2])
  ? { host: '127.0.0.1', port: Number(process.argv[2]) }
  : { path: process.argv[2] }

/** What the program is asked to be, where it can be several things. */
export const variant = process.argv[3]

/** Tells the benchmark that the server listens, and how many milliseconds after Node itself had started. */
export function ready() {
  console.log('listening', performance.now() - performance.nodeTiming.bootstrapComplete)
}

// The benchmark asks what is on the heap once all that can go is gone; it starts the program with --expose-gc for that. What
// finalizers let go of goes one collection later.
process.on('message', async () => {
  for (let count = 0; count < 6; count++) {
    global.gc()
    await setTimeout(20)
  }
  process.send(process.memoryUsage().heapUsed)
})

// The benchmark is gone, however it ended.
process.on('disconnect', () => process.exit())
