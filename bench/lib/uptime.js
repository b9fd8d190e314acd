import { Side } from './side.js'

/**
 * @typedef {object} UptimeResult
 * @property {'uptime'} type
 * @property {string} name
 * @property {string} node
 * @property {{ x: number, heap: number }[]} points Bytes on the heap after a garbage collection, after `x` requests.
 * @property {number} growth Bytes: the last point minus the first.
 * @property {number} bar The most that `growth` may be.
 */

const STEPS = 10
const BAR = 2 * 1024 * 1024

/**
 * Measures the heap after increasing numbers of requests.
 * @param {string} name
 * @param {import('./server.js').ServerSpec} spec
 * @param {import('./side.js').Work} work
 * @param {number} requests In all.
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<UptimeResult[]>}
 */
export async function measureUptime(name, spec, work, requests, setting) {
  const side = await Side.start({ ...spec, flags: ['--expose-gc'] }, work, setting)
  try {
    const points = []
    for (let step = 1; step <= STEPS; step++) {
      // Use new connections each time, as front servers do, so that memory leaked by connections counts, too.
      await side.generator.open(side.load)
      const result = await side.generator.run({ milliseconds: 120_000, requests: requests / STEPS })
      if (result.requests !== requests / STEPS)
        throw new Error(`Only ${result.requests} responses in two minutes.`)
      await side.generator.close()
      points.push({ x: (requests / STEPS) * step, heap: await side.server.heapUsed() })
    }
    const growth = points.at(-1).heap - points[0].heap
    return [{ type: 'uptime', name, node: setting.nodeVersion, points, growth, bar: BAR }]
  } finally {
    await side.stop()
  }
}
