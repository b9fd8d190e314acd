import { writeFileSync } from 'node:fs'
import { againstResult } from './against.js'
import { residentMemory } from './cpu.js'
import { Side } from './side.js'
import { summary } from './stats.js'

/**
 * @typedef {object} Transfer One large body, in either direction.
 * @property {string} name
 * @property {'download' | 'upload'} direction
 * @property {number} length Bytes.
 * @property {import('./server.js').ServerSpec} side
 * @property {import('./server.js').ServerSpec} peer
 * @property {import('./side.js').Work} work
 * @property {number} bar CPU, at most this share of the peer's.
 *
 * @typedef {object} TransferResult
 * @property {'transfer'} type
 * @property {string} name
 * @property {string} node
 * @property {number} bar
 * @property {import('./stats.js').Summary} cpu Microseconds per MiB.
 * @property {import('./stats.js').Summary} peerCpu
 * @property {import('./stats.js').Summary} ratio
 * @property {import('./stats.js').Summary} rate MiB per second.
 * @property {import('./stats.js').Summary} peerRate
 * @property {number} growth The peak of the resident size minus its initial value, in bytes: the largest of all launches.
 * @property {number} peerGrowth
 * @property {number} growthBar The most that `growth` may be.
 */

const MIB = 1024 * 1024
const GROWTH_BAR = 32 * MIB
const ROUNDS = 3

// All apps have this route.
const SMALL = { request: { path: '/' }, expected: { body: 'Hello, world!' }, connections: 1 }

/** @typedef {{ cpu: number, rate: number, growth: number }} TransferSample One transfer: units as in TransferResult. */

/**
 * @param {Transfer} transfer
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<(TransferResult | import('./against.js').AgainstResult)[]>}
 */
export async function measureTransfer(transfer, setting) {
  const { bar, direction, length, name, side, work } = transfer
  const { against } = setting
  const peer = against === undefined ? transfer.peer : { ...side, checkout: against }
  /** @type {TransferSample[][]} */
  const samples = [[], []]
  for (let launch = 0; launch < setting.pace.launches; launch++) {
    const sides = []
    try {
      for (const spec of [side, peer]) sides.push(await startUsed(spec, { ...work, connections: 1 }, setting))
      for (let round = 0; round < ROUNDS; round++) {
        for (const [index, side] of sides.entries()) {
          samples[index].push(await sample(side, direction, length / MIB))
        }
      }
    } finally {
      for (const side of sides) await side.stop()
    }
  }
  const [own, others] = samples
  if (against !== undefined) {
    return [againstResult(name.split(' / ', 1)[0], own, others, setting, 'µs/MiB')]
  }
  const values = (of, field) => summary(of.map((sample) => sample[field]))
  const growth = (of) => Math.max(...of.map((sample) => sample.growth))
  return [
    {
      type: 'transfer',
      name,
      node: setting.nodeVersion,
      bar,
      cpu: values(own, 'cpu'),
      peerCpu: values(others, 'cpu'),
      ratio: summary(own.map(({ cpu }, round) => cpu / others[round].cpu)),
      rate: values(own, 'rate'),
      peerRate: values(others, 'rate'),
      growth: growth(own),
      peerGrowth: growth(others),
      growthBar: GROWTH_BAR,
    },
  ]
}

// Memory for loading and compiling during the first requests must not count as growth of a transfer.
async function startUsed(spec, work, setting) {
  const side = await Side.start(spec, SMALL, setting)
  try {
    await side.warmUp({ warmUpMilliseconds: 2000, warmUpRequests: 200 })
  } catch (error) {
    await side.stop()
    throw error
  }
  side.setWork(work)
  return side
}

async function sample({ generator, load, server }, direction, mib) {
  const idle = residentMemory(server.pid)
  // Resets the peak to the current resident size: proc(5).
  writeFileSync(`/proc/${server.pid}/clear_refs`, '5')
  const before = server.cpuTime()
  const result = await transferred(generator, load, direction)
  return {
    cpu: (server.cpuTime() - before) / mib,
    rate: (mib / result.milliseconds) * 1000,
    growth: residentMemory(server.pid, 'VmHWM') - idle,
  }
}

async function transferred(generator, load, direction) {
  if (direction === 'upload') return generator.upload(load)
  await generator.open(load)
  const result = await generator.run({ milliseconds: 120_000, requests: 1 })
  await generator.close()
  return result
}
