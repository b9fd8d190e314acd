import { compareCheckouts } from './against.js'
import { interleavedRounds } from './rounds.js'
import { summary } from './stats.js'

/**
 * @typedef {object} Comparison Servers that get the same requests in turn.
 * @property {Record<string, import('./server.js').ServerSpec>} sides
 * @property {import('./side.js').Work} work
 * @property {Row[]} rows
 * @property {typeof import('./side.js').Side.start | typeof import('./client-side.js').ClientSide.start} [start] Default: servers are measured.
 *
 * @typedef {object} Row A comparison of two sides.
 * @property {string} name
 * @property {string} side
 * @property {string} peer
 * @property {Bar} [bar] The target for CPU per request, as a share of the peer's. Undefined for rows without a target.
 * @property {number} [rateBar] The target for requests per second, as a multiple of the peer's.
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
 * @property {Summary} cpu Of the side, in microseconds per request.
 * @property {Summary} peerCpu
 * @property {Summary} ratio Of the CPU times: the median and the quartiles of the rounds' ratios.
 * @property {Summary} rate Requests per second.
 * @property {Summary} peerRate
 * @property {Summary} rateRatio
 * @property {number} generatorBusy The larger of both sides' medians.
 */

/**
 * @param {Comparison} comparison
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<(RatioResult | import('./against.js').AgainstResult)[]>}
 */
export async function compareSides(comparison, setting) {
  if (setting.against !== undefined) return compareCheckouts(comparison, setting)
  const samples = await interleavedRounds(comparison, setting)
  return comparison.rows.map((row) => rowResult(row, samples[row.side], samples[row.peer], setting))
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

// The front server's share is the same as for the peer. The target applies to the app's share. The result is at most 0.95.
/** @param {number} bar @param {import('./side.js').Sample[]} peer */
function withFront(bar, peer) {
  const { median: front } = summary(peer.map(({ cpu, frontCpu }) => frontCpu / cpu))
  return front === 0 ? bar : Math.min(0.95, front + bar * (1 - front))
}
