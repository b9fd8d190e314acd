// Interleaved rounds: each side of a case is asked in turn, so that what slows the machine down slows all of them, and the
// ratio of one round is of figures that were taken within seconds.

import { Generator } from './generator.js'
import { Server } from './server.js'
import { summary } from './stats.js'

/**
 * @typedef {object} Case Servers that are measured together.
 * @property {string} name
 * @property {import('./request.js').RequestSpec} request
 * @property {import('../load/readers.js').Expected} expected
 * @property {number} [connections] Default 32.
 * @property {Record<string, import('./server.js').ServerSpec>} sides
 * @property {Row[]} rows
 *
 * @typedef {object} Row One ratio of two sides.
 * @property {string} name
 * @property {string} side
 * @property {string} peer
 * @property {number | ((nodeMajor: number) => number) | undefined} [bar] CPU per request, at most this share of the peer's; none
 *   where the row is there for reference.
 *
 * @typedef {object} Pace
 * @property {number} launches How often the servers are started anew: what the JIT makes of a program differs between starts.
 * @property {number} rounds In each launch.
 * @property {number} milliseconds Of load in each round, for each side.
 * @property {number} warmUpRequests Before the first round.
 * @property {number} warmUpMilliseconds The most that it takes for those.
 *
 * @typedef {object} Sample
 * @property {number} cpu Microseconds per request.
 * @property {number} rate Requests per second.
 * @property {number} generatorBusy
 *
 * @typedef {{ median: number, low: number, high: number }} Summary
 *
 * @typedef {object} RowResult
 * @property {string} name
 * @property {number | undefined} bar
 * @property {Summary} cpu Of the side, microseconds per request.
 * @property {Summary} peerCpu
 * @property {Summary} ratio Of the CPU times: one per round, the median and the quartiles of these.
 * @property {Summary} rate
 * @property {Summary} peerRate
 * @property {Summary} rateRatio
 * @property {number} generatorBusy The larger of both sides' medians.
 */

/** The connections of a case that names no number. */
export const CONNECTIONS = 32

/**
 * @param {Case} case_
 * @param {{ node: string, nodeMajor: number, transport: import('./server.js').Transport }} setting
 * @param {Pace} pace
 * @returns {Promise<RowResult[]>}
 */
export async function measure(case_, setting, pace) {
  /** @type {Record<string, Sample[]>} */
  const samples = Object.fromEntries(Object.keys(case_.sides).map((name) => [name, []]))
  for (let launch = 0; launch < pace.launches; launch++) {
    const sides = []
    try {
      for (const [name, spec] of Object.entries(case_.sides))
        sides.push(await Side.start(name, spec, case_, setting))
      for (const side of sides) await side.warmUp(pace)
      for (let round = 0; round < pace.rounds; round++) {
        // There and back again: whoever comes first is no better off for it.
        const order = round % 2 === 0 ? sides : sides.toReversed()
        for (const side of order) samples[side.name].push(await side.sample(pace.milliseconds))
      }
    } finally {
      for (const side of sides) await side.stop()
    }
  }
  return case_.rows.map((row) => rowResult(row, samples[row.side], samples[row.peer], setting.nodeMajor))
}

class Side {
  name
  #server
  #generator
  #load

  constructor(name, server, load) {
    this.name = name
    this.#server = server
    this.#generator = new Generator()
    this.#load = load
  }

  static async start(name, spec, { request, expected, connections = CONNECTIONS }, setting) {
    const server = await Server.start(spec, setting)
    return new Side(name, server, {
      address: server.address,
      protocol: spec.protocol,
      request,
      expected,
      connections,
      oneRequestEach: spec.oneRequestEach,
    })
  }

  async warmUp({ warmUpMilliseconds, warmUpRequests }) {
    await this.#generator.open(this.#load)
    await this.#generator.run({ milliseconds: warmUpMilliseconds, requests: warmUpRequests })
    await this.#generator.close()
  }

  /** On connections of its own, which have had a few requests before the clock runs. */
  async sample(milliseconds) {
    await this.#generator.open(this.#load)
    await this.#generator.run({ milliseconds, requests: 20 * this.#load.connections })
    const before = this.#server.cpuTime()
    const result = await this.#generator.run({ milliseconds })
    const cpu = this.#server.cpuTime() - before
    await this.#generator.close()
    return {
      cpu: cpu / result.requests,
      rate: (result.requests / result.milliseconds) * 1000,
      generatorBusy: result.busy,
    }
  }

  async stop() {
    await this.#generator.stop()
    await this.#server.stop()
  }
}

function rowResult({ name, bar }, side, peer, nodeMajor) {
  const ratios = (field) => summary(side.map((sample, round) => sample[field] / peer[round][field]))
  const values = (samples, field) => summary(samples.map((sample) => sample[field]))
  return {
    name,
    bar: typeof bar === 'function' ? bar(nodeMajor) : bar,
    cpu: values(side, 'cpu'),
    peerCpu: values(peer, 'cpu'),
    ratio: ratios('cpu'),
    rate: values(side, 'rate'),
    peerRate: values(peer, 'rate'),
    rateRatio: ratios('rate'),
    generatorBusy: Math.max(values(side, 'generatorBusy').median, values(peer, 'generatorBusy').median),
  }
}
