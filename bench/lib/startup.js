import { residentMemory } from './cpu.js'
import { Server } from './server.js'
import { summary } from './stats.js'

/**
 * @typedef {object} StartupResult
 * @property {'startup'} type
 * @property {string} name
 * @property {string} node
 * @property {import('./stats.js').Summary} time Milliseconds from the end of Node's own start-up until the program listens.
 * @property {import('./stats.js').Summary} peerTime
 * @property {import('./stats.js').Summary} memory Resident bytes when it listens.
 * @property {import('./stats.js').Summary} peerMemory
 */

const LAUNCHES = 10

/**
 * @param {string} name
 * @param {{ side: import('./server.js').ServerSpec, peer: import('./server.js').ServerSpec }} specs
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<StartupResult[]>}
 */
export async function measureStartup(name, specs, setting) {
  const times = { side: [], peer: [] }
  const memory = { side: [], peer: [] }
  for (let launch = 0; launch < LAUNCHES; launch++) {
    for (const [key, spec] of Object.entries(specs)) {
      const server = await Server.start(spec, setting)
      try {
        memory[key].push(residentMemory(server.pid))
        times[key].push(server.startTime)
      } finally {
        await server.stop()
      }
    }
  }
  return [
    {
      type: 'startup',
      name,
      node: setting.nodeVersion,
      time: summary(times.side),
      peerTime: summary(times.peer),
      memory: summary(memory.side),
      peerMemory: summary(memory.peer),
    },
  ]
}
