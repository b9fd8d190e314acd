// Interleaved rounds: each side of a case is asked in turn, so that what slows the machine down slows all of them, and the
// ratio of one round is of figures that were taken within seconds.

import { Side } from './side.js'
import { summary } from './stats.js'

/**
 * @typedef {object} Comparison Servers that are asked the same in turn.
 * @property {Record<string, import('./server.js').ServerSpec>} sides
 * @property {import('./side.js').Work} work
 * @property {Row[]} rows
 * @property {typeof Side.start | typeof import('./client-side.js').ClientSide.start} [start] Default: it is the servers that are measured.
 *
 * @typedef {object} Row Two of the sides.
 * @property {string} name
 * @property {string} side
 * @property {string} peer
 * @property {Bar} [bar] CPU per request, at most this share of the peer's; none where the row is there for reference.
 * @property {number} [rateBar] Requests per second, at least this multiple of the peer's.
 *
 * @typedef {number | ((nodeMajor: number) => number)} Bar
 *
 * @typedef {import('./stats.js').Summary} Summary
 *
 * @typedef {object} RatioResult
 * @property {'ratio'} type
 * @property {string} name
 * @property {string} node The version.
 * @property {number | undefined} bar
 * @property {number | undefined} rateBar
 * @property {Summary} cpu Of the side, microseconds per request.
 * @property {Summary} peerCpu
 * @property {Summary} ratio Of the CPU times: one per round, the median and the quartiles of these.
 * @property {Summary} rate Requests per second.
 * @property {Summary} peerRate
 * @property {Summary} rateRatio
 * @property {number} generatorBusy The larger of both sides' medians.
 */

/**
 * @param {Comparison} comparison
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<RatioResult[]>}
 */
export async function compareSides({ sides, work, rows, start = Side.start }, setting) {
  const { pace } = setting
  const names = Object.keys(sides)
  /** @type {Record<string, import('./side.js').Sample[]>} */
  const samples = Object.fromEntries(names.map((name) => [name, []]))
  for (let launch = 0; launch < pace.launches; launch++) {
    /** @type {Record<string, Side | import('./client-side.js').ClientSide>} */
    const running = {}
    try {
      for (const name of names) running[name] = await start(sides[name], work, setting)
      for (const name of names) await running[name].warmUp(pace)
      for (let round = 0; round < pace.rounds; round++) {
        // Every second round runs in reverse, so that no side profits from its place.
        const order = round % 2 === 0 ? names : names.toReversed()
        for (const name of order) samples[name].push(await running[name].sample(pace.milliseconds))
      }
    } finally {
      for (const side of Object.values(running)) await side.stop()
    }
  }
  return rows.map((row) => rowResult(row, samples[row.side], samples[row.peer], setting))
}

/**
 * @param {Row} row
 * @param {import('./side.js').Sample[]} side
 * @param {import('./side.js').Sample[]} peer
 * @param {import('./side.js').Setting} setting
 * @returns {RatioResult}
 */
function rowResult({ name, bar, rateBar }, side, peer, { nodeMajor, nodeVersion }) {
  /** @param {'cpu' | 'rate'} field */
  const ratios = (field) => summary(side.map((sample, round) => sample[field] / peer[round][field]))
  /** @param {import('./side.js').Sample[]} samples @param {keyof import('./side.js').Sample} field */
  const values = (samples, field) => summary(samples.map((sample) => sample[field]))
  const direct = typeof bar === 'function' ? bar(nodeMajor) : bar
  return {
    type: 'ratio',
    name,
    node: nodeVersion,
    bar: direct === undefined ? undefined : withFront(direct, peer),
    rateBar,
    cpu: values(side, 'cpu'),
    peerCpu: values(peer, 'cpu'),
    ratio: ratios('cpu'),
    rate: values(side, 'rate'),
    peerRate: values(peer, 'rate'),
    rateRatio: ratios('rate'),
    generatorBusy: Math.max(values(side, 'generatorBusy').median, values(peer, 'generatorBusy').median),
  }
}

// A front server's own share stays as it is beside the peer; the bar is for the app's share, and together it is never above 0.95.
/** @param {number} bar @param {import('./side.js').Sample[]} peer */
function withFront(bar, peer) {
  const { median: front } = summary(peer.map(({ cpu, frontCpu }) => frontCpu / cpu))
  return front === 0 ? bar : Math.min(0.95, front + bar * (1 - front))
}
