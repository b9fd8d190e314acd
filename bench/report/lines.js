// Results as lines of text, printed as they are measured.

import { mib, micro, spread, thousand, times } from './format.js'
import { verdict } from './verdicts.js'

// The width of the names.
const WIDTH = 58

/**
 * @param {import('../cases/index.js').Result} result
 * @returns {string}
 */
export function line(result) {
  const figures = LINES[result.type](result).filter((text) => text !== '')
  return [result.name.padEnd(WIDTH), ...figures].join('  ')
}

const LINES = {
  ratio(result) {
    const { bar, cpu, generatorBusy, peerCpu, peerRate, rate, rateRatio, ratio } = result
    return [
      spread(ratio),
      bar === undefined ? '' : `target ${times(bar)} ${verdict(result)}`,
      `CPU ${micro(cpu.median)} : ${micro(peerCpu.median)} µs`,
      `rate ${thousand(rate.median)} : ${thousand(peerRate.median)}/s (${times(rateRatio.median)})`,
      generatorBusy > 0.9 ? 'limited by the load generator' : '',
    ]
  },
  against(result) {
    const { bar, cpu, launches, otherCpu, ratio, unit } = result
    return [
      spread(ratio),
      `target ${times(bar)} ${verdict(result)}`,
      `launches ${launches.map(times).join(' ')}`,
      `CPU ${micro(cpu.median)} : ${micro(otherCpu.median)} ${unit}`,
    ]
  },
  transfer(result) {
    const { bar, cpu, growth, peerCpu, peerGrowth, peerRate, rate, ratio } = result
    return [
      spread(ratio),
      `target ${times(bar)} ${verdict(result)}`,
      `CPU ${micro(cpu.median)} : ${micro(peerCpu.median)} µs/MiB`,
      `rate ${rate.median.toFixed(0)} : ${peerRate.median.toFixed(0)} MiB/s`,
      `RSS +${mib(growth)} : +${mib(peerGrowth)} MiB`,
    ]
  },
  growth(result) {
    const { factor, peerFactor, points } = result
    const costs = (field) => points.map((point) => `${point.x}: ${micro(point[field])}`).join(', ')
    return [
      `× ${times(factor)} ${verdict(result)}`,
      `µs at ${costs('cpu')}`,
      peerFactor === undefined ? '' : `peer × ${times(peerFactor)}, ${costs('peerCpu')}`,
    ]
  },
  uptime(result) {
    const heap = result.points.map((point) => mib(point.heap)).join(' ')
    return [`growth ${mib(result.growth)} MiB ${verdict(result)}`, `heap ${heap} MiB`]
  },
  latency({ peer, side, sideAtPeerRate }) {
    const text = ({ p50, p99, rate }) => `${p50.toFixed(2)}/${p99.toFixed(2)} ms at ${thousand(rate)}/s`
    return [`p50/p99 ${text(side)}`, `peer ${text(peer)}`, `ours then ${text(sideAtPeerRate)}`]
  },
  startup({ memory, peerMemory, peerTime, time }) {
    return [
      `${time.median.toFixed(0)} : ${peerTime.median.toFixed(0)} ms`,
      `${mib(memory.median)} : ${mib(peerMemory.median)} MiB`,
    ]
  },
  cgi(result) {
    const { bar, peerTime, ratio, time } = result
    return [
      spread(ratio),
      `target ${times(bar)} ${verdict(result)}`,
      `${time.median.toFixed(0)} : ${peerTime.median.toFixed(0)} ms`,
    ]
  },
  missing({ reason }) {
    return [`not measured: ${reason}`]
  },
}
