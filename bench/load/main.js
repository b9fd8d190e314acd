// The load generator, a process of its own: `lib/generator.js` starts it and tells it what to do.

import { ClosedLoop } from './closed-loop.js'

/** @type {ClosedLoop | undefined} */
let loop

const commands = {
  async open(load) {
    loop = await ClosedLoop.open(load)
  },
  async run(bounds) {
    const before = process.cpuUsage()
    const result = await loop.run(bounds)
    const { user, system } = process.cpuUsage(before)
    return { ...result, busy: (user + system) / 1000 / result.milliseconds }
  },
  close() {
    loop?.close()
  },
}

process.on('message', async ({ command, argument }) => {
  try {
    process.send({ result: await commands[command](argument) })
  } catch (error) {
    process.send({ error: error.stack })
  }
})

// Whoever started it is gone.
process.on('disconnect', () => process.exit())
