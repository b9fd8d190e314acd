import { Side } from './side.js'
import { summary } from './stats.js'

/**
 * @typedef {object} Growth How the cost of a request grows with a quantity.
 * @property {string} name
 * @property {string} x The quantity.
 * @property {number[]} values
 * @property {boolean} isPerUnit True if the work of a request grows with the quantity. The factor then compares costs per unit of work, not per request.
 * @property {import('./server.js').ServerSpec} side
 * @property {import('./server.js').ServerSpec} [peer]
 * @property {(value: number) => import('./side.js').Work} work
 *
 * @typedef {object} GrowthResult
 * @property {'growth'} type
 * @property {string} name
 * @property {string} node
 * @property {string} x
 * @property {{ x: number, cpu: number, peerCpu?: number }[]} points Microseconds per request.
 * @property {number} factor The cost of a unit of work at the last value, divided by its lowest cost.
 * @property {number} [peerFactor]
 */

/**
 * @param {Growth} growth
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<GrowthResult[]>}
 */
export async function measureGrowth({ isPerUnit, name, peer, side, values, work, x }, setting) {
  const sides = []
  try {
    for (const spec of peer === undefined ? [side] : [side, peer]) {
      sides.push(await Side.start(spec, work(values[0]), setting))
    }
    const points = []
    for (const value of values) {
      const [cpu, peerCpu] = await costs(sides, work(value), setting)
      points.push({ x: value, cpu, peerCpu })
    }
    const factorOf = (field) => growthFactor(points.map((point) => point[field] / (isPerUnit ? point.x : 1)))
    return [
      {
        type: 'growth',
        name,
        node: setting.nodeVersion,
        x,
        points,
        factor: factorOf('cpu'),
        peerFactor: peer === undefined ? undefined : factorOf('peerCpu'),
      },
    ]
  } finally {
    for (const side of sides) await side.stop()
  }
}

const ROUNDS = 3

async function costs(sides, work, { pace }) {
  const samples = sides.map(() => [])
  for (const side of sides) {
    side.setWork(work)
    await side.warmUp({ warmUpMilliseconds: pace.milliseconds, warmUpRequests: pace.warmUpRequests })
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, side] of sides.entries()) {
      samples[index].push((await side.sample(pace.milliseconds)).cpu)
    }
  }
  return samples.map((of) => summary(of).median)
}

function growthFactor(unitCosts) {
  return unitCosts.at(-1) / Math.min(...unitCosts)
}
