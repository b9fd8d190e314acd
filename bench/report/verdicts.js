// Which results reach their targets.

import { mib, times } from './format.js'

// If a unit of work costs up to this much more at the end, that counts as noise.
const GROWTH_BAR = 1.25

/** Latency and start-up have no target. A value above this multiple of the peer's is reported as worse. */
const NOTEWORTHY = 1.1

/**
 * @param {import('../cases/index.js').Result} result
 * @returns {'reached' | 'missed' | ''} Empty if there is no target.
 */
export function verdict(result) {
  if (!hasBar(result)) return ''
  return misses(result).length === 0 ? 'reached' : 'missed'
}

/**
 * Describes the targets that a result misses.
 * @param {import('../cases/index.js').Result} result
 * @returns {string[]}
 */
export function misses(result) {
  return MISSES[result.type]?.(result).filter((text) => text !== undefined) ?? []
}

/**
 * Describes where the peer is better without a missed target.
 * @param {import('../cases/index.js').Result} result
 * @returns {string[]}
 */
export function losses(result) {
  return LOSSES[result.type]?.(result).filter((text) => text !== undefined) ?? []
}

const MISSES = {
  ratio: ({ bar, rateBar, rateRatio, ratio }) => [
    unless(
      bar === undefined || ratio.median <= bar,
      () => `${times(ratio.median)} × the CPU, target ${times(bar)}`,
    ),
    unless(rateBar === undefined || rateRatio.median >= rateBar, () => {
      return `${times(rateRatio.median)} × the requests per second, target ${times(rateBar)}`
    }),
  ],
  cgi: ({ bar, ratio }) => [
    unless(ratio.median <= bar, () => `${times(ratio.median)} × the time, target ${times(bar)}`),
  ],
  against: ({ bar, ratio }) => [
    unless(
      ratio.median <= bar,
      () => `${times(ratio.median)} × the CPU of the other checkout, target ${times(bar)}`,
    ),
  ],
  transfer: ({ bar, growth, growthBar, ratio }) => [
    unless(ratio.median <= bar, () => `${times(ratio.median)} × the CPU, target ${times(bar)}`),
    unless(growth <= growthBar, () => `memory grows by ${mib(growth)} MiB, target ${mib(growthBar)}`),
  ],
  growth: ({ factor, peerFactor }) => [
    unless(factor <= Math.max(GROWTH_BAR, peerFactor ?? 0), () => {
      return `a unit of work costs ${times(factor)} × as much at the end as at its minimum`
    }),
  ],
  uptime: ({ bar, growth }) => [
    unless(
      growth <= bar,
      () => `the heap grows by ${mib(growth)} MiB in a million requests, target ${mib(bar)}`,
    ),
  ],
}

const LOSSES = {
  ratio: ({ bar, ratio }) => [
    unless(
      ratio.median <= 1 || ratio.median > (bar ?? Number.POSITIVE_INFINITY),
      () => `${times(ratio.median)} × the CPU of the peer`,
    ),
  ],
  growth: ({ points }) => {
    const worst = Math.max(...points.map(({ cpu, peerCpu }) => (peerCpu === undefined ? 0 : cpu / peerCpu)))
    const { x } = points.find(({ cpu, peerCpu }) => cpu / peerCpu === worst) ?? {}
    return [unless(worst <= NOTEWORTHY, () => `${times(worst)} × the CPU of the peer at ${x}`)]
  },
  latency: ({ peer, sideAtPeerRate }) => [
    unless(sideAtPeerRate.p99 <= peer.p99 * NOTEWORTHY, () => {
      return `p99 of ${sideAtPeerRate.p99.toFixed(2)} ms where the peer has ${peer.p99.toFixed(2)} ms`
    }),
  ],
  startup: ({ peerTime, time }) => [
    unless(time.median <= peerTime.median * NOTEWORTHY, () => {
      return `start-up takes ${time.median.toFixed(0)} ms, the peer's ${peerTime.median.toFixed(0)} ms`
    }),
  ],
  missing: ({ reason }) => [`not measured: ${reason.split('\n', 1)[0]}`],
}

/** @param {import('../cases/index.js').Result} result */
function hasBar(result) {
  if (result.type === 'growth') return true
  return (
    ('bar' in result && result.bar !== undefined) || ('rateBar' in result && result.rateBar !== undefined)
  )
}

function unless(holds, describe) {
  return holds ? undefined : describe()
}
