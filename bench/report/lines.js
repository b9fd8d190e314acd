// Results as lines of text, while they come.

/**
 * @param {import('../cases/index.js').Result} result
 * @returns {string}
 */
export function line(result) {
  return LINES[result.type](result)
}

const LINES = {
  ratio({ name, bar, rateBar, cpu, peerCpu, ratio, rate, peerRate, rateRatio, generatorBusy }) {
    const verdict = verdictOf({ bar, rateBar, ratio, rateRatio })
    const figures = [
      `${times(ratio.median)} (${times(ratio.low)}–${times(ratio.high)})`,
      bar === undefined ? '' : `bar ${times(bar)} ${verdict}`,
      `CPU ${micro(cpu.median)} : ${micro(peerCpu.median)} µs`,
      `rate ${thousand(rate.median)} : ${thousand(peerRate.median)} k/s (${times(rateRatio.median)})`,
      generatorBusy > 0.9 ? 'limited by the load generator' : '',
    ]
    return `${name.padEnd(58)} ${figures.filter((text) => text !== '').join('  ')}`
  },
  transfer({ name, bar, cpu, peerCpu, ratio, rate, peerRate, growth, peerGrowth, growthBar }) {
    const verdict = ratio.median <= bar && growth <= growthBar ? 'holds' : 'fails'
    const figures = [
      `${times(ratio.median)} (${times(ratio.low)}–${times(ratio.high)})`,
      `bar ${times(bar)} ${verdict}`,
      `CPU ${micro(cpu.median)} : ${micro(peerCpu.median)} µs/MiB`,
      `rate ${rate.median.toFixed(0)} : ${peerRate.median.toFixed(0)} MiB/s`,
      `RSS +${mib(growth)} : +${mib(peerGrowth)} MiB`,
    ]
    return `${name.padEnd(58)} ${figures.join('  ')}`
  },
  growth({ name, points, factor, peerFactor }) {
    const costs = (field) => points.map((point) => `${point.x}: ${micro(point[field])}`).join(', ')
    const peer = peerFactor === undefined ? '' : `; peer ${costs('peerCpu')} (× ${times(peerFactor)})`
    return `${name.padEnd(58)} µs at ${costs('cpu')} (× ${times(factor)})${peer}`
  },
  uptime({ name, points, growth }) {
    const heap = points.map((point) => mib(point.heap)).join(' ')
    return `${name.padEnd(58)} heap ${heap} MiB, growth ${mib(growth)} MiB`
  },
  latency({ name, side, peer, sideAtPeerRate }) {
    const text = ({ rate, p50, p99 }) => `${p50.toFixed(2)}/${p99.toFixed(2)} ms at ${thousand(rate)} k/s`
    return `${name.padEnd(58)} p50/p99 ${text(side)}; peer ${text(peer)}; ${text(sideAtPeerRate)}`
  },
  missing({ name, reason }) {
    return `${name.padEnd(58)} not measured: ${reason}`
  },
  startup({ name, time, peerTime, memory, peerMemory }) {
    return `${name.padEnd(58)} ${time.median.toFixed(0)} : ${peerTime.median.toFixed(0)} ms  ${mib(memory.median)} : ${mib(peerMemory.median)} MiB`
  },
}

/** Whether a ratio is within its bars: `holds`, `fails`, or nothing where it has none. */
export function verdictOf({ bar, rateBar, ratio, rateRatio }) {
  if (bar === undefined && rateBar === undefined) return ''
  const cpuHolds = bar === undefined || ratio.median <= bar
  const rateHolds = rateBar === undefined || rateRatio.median >= rateBar
  return cpuHolds && rateHolds ? 'holds' : 'fails'
}

/** A ratio. */
export function times(value) {
  return value.toFixed(value < 0.1 ? 3 : 2)
}

/** Microseconds, to three places that count. */
export function micro(value) {
  return value < 100 ? value.toFixed(1) : value.toFixed(0)
}

/** Thousands. */
export function thousand(value) {
  return (value / 1000).toFixed(value < 10_000 ? 2 : 1)
}

/** Bytes as MiB. */
export function mib(bytes) {
  return (bytes / (1024 * 1024)).toFixed(1)
}
