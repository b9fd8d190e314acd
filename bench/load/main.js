// The load generator, a separate process. `lib/generator.js` starts it and sends it commands.

import { ClosedLoop } from './closed-loop.js'
import { OpenLoop } from './open-loop.js'
import { upload } from './upload.js'

/** @type {ClosedLoop | undefined} */
let loop

const commands = {
  async open(load) {
    loop = await ClosedLoop.open(load)
  },
  run(bounds) {
    if (loop === undefined) throw new Error('No connections are open: send `open` before `run`.')
    return loop.run(bounds)
  },
  close() {
    loop?.close()
    loop = undefined
  },
  async paced({ load, pace }) {
    const loop = await OpenLoop.open(load)
    try {
      return await loop.run(pace)
    } finally {
      loop.close()
    }
  },
  upload,
}

process.on('message', async ({ command, argument }) => {
  try {
    const before = process.cpuUsage()
    const result = await commands[command](argument)
    const { user, system } = process.cpuUsage(before)
    process.send?.({ result: { ...result, cpu: user + system } })
  } catch (error) {
    process.send?.({ error: error.stack })
  }
})

// The benchmark has ended.
process.on('disconnect', () => process.exit())
