import { Side } from './side.js'
import { summary } from './stats.js'

/**
 * @typedef {object} LatencyResult Milliseconds.
 * @property {'latency'} type
 * @property {string} name
 * @property {string} node
 * @property {{ rate: number, p50: number, p99: number }} side At half of the rate that saturates it.
 * @property {{ rate: number, p50: number, p99: number }} peer The same of the peer.
 * @property {{ rate: number, p50: number, p99: number }} sideAtPeerRate
 */

const CONNECTIONS = 64
const ROUNDS = 3
const MILLISECONDS = 2000

/**
 * How long answers take when the server has time to spare.
 * @param {string} name
 * @param {{ side: import('./server.js').ServerSpec, peer: import('./server.js').ServerSpec }} specs
 * @param {import('./side.js').Work} work
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<LatencyResult[]>}
 */
export async function measureLatency(name, specs, work, setting) {
  const sides = []
  try {
    for (const spec of [specs.side, specs.peer]) {
      const side = await Side.start(spec, { ...work, connections: CONNECTIONS }, setting)
      sides.push(side)
      await side.warmUp(setting.pace)
    }
    const [side, peer] = sides
    const half = (await side.sample(1000)).rate / 2
    const peerHalf = (await peer.sample(1000)).rate / 2
    const runs = { side: [side, half], peer: [peer, peerHalf], sideAtPeerRate: [side, peerHalf] }
    const rounds = { side: [], peer: [], sideAtPeerRate: [] }
    for (let round = 0; round < ROUNDS; round++) {
      for (const [key, [which, rate]] of Object.entries(runs)) {
        rounds[key].push(await which.generator.paced(which.load, { rate, milliseconds: MILLISECONDS }))
      }
    }
    const middle = (key) => ({
      rate: runs[key][1],
      p50: summary(rounds[key].map(({ p50 }) => p50)).median,
      p99: summary(rounds[key].map(({ p99 }) => p99)).median,
    })
    return [
      {
        type: 'latency',
        name,
        node: setting.nodeVersion,
        side: middle('side'),
        peer: middle('peer'),
        sideAtPeerRate: middle('sideAtPeerRate'),
      },
    ]
  } finally {
    for (const side of sides) await side.stop()
  }
}
