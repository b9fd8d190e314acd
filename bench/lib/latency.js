import { Side } from './side.js'
import { summary } from './stats.js'

/**
 * @typedef {object} LatencyResult Rates are requests per second, latencies milliseconds.
 * @property {'latency'} type
 * @property {string} name
 * @property {string} node
 * @property {{ rate: number, p50: number, p99: number }} side At half of the rate that saturates the side.
 * @property {{ rate: number, p50: number, p99: number }} peer The same for the peer.
 * @property {{ rate: number, p50: number, p99: number }} sideAtPeerRate
 */

const CONNECTIONS = 64

/** The default duration. */
const DURATION = { rounds: 3, milliseconds: 2000 }

/**
 * Measures the latency of a server that is not saturated.
 * @param {string} name
 * @param {{ side: import('./server.js').ServerSpec, peer: import('./server.js').ServerSpec }} specs
 * @param {import('./side.js').Work} work
 * @param {import('./side.js').Setting} setting
 * @param {{ rounds: number, milliseconds: number }} duration
 * @returns {Promise<LatencyResult[]>}
 */
export async function measureLatency(name, specs, work, setting, duration = DURATION) {
  const sides = []
  try {
    for (const spec of [specs.side, specs.peer]) {
      const side = await Side.start(spec, { ...work, connections: CONNECTIONS }, setting)
      sides.push(side)
      await side.warmUp(setting.pace)
    }
    const [side, peer] = sides
    const [half, peerHalf] = await halfRates(sides, duration)
    const runs = { side: [side, half], peer: [peer, peerHalf], sideAtPeerRate: [side, peerHalf] }
    const rounds = { side: [], peer: [], sideAtPeerRate: [] }
    for (let round = 0; round < duration.rounds; round++) {
      for (const [key, [which, rate]] of Object.entries(runs)) {
        rounds[key].push(
          await which.generator.paced(which.load, { rate, milliseconds: duration.milliseconds }),
        )
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

// Half of the rate at which each is saturated.
async function halfRates(sides, { milliseconds, rounds }) {
  const rates = sides.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, side] of sides.entries()) rates[index].push((await side.sample(milliseconds / 3)).rate)
  }
  return rates.map((of) => summary(of).median / 2)
}
