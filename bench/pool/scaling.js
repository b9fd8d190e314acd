// Two workers, compared with one. Both pools run, and get their load in turn.
//
// The load generator and nginx need CPU time, too: 1.3 ms for each request on a connection of its own, and 0.4 ms on a kept connection through
// nginx. With one worker they use the second core. With two workers on two cores they take this time from the workers. So two kinds of
// figures are taken. If a handler computes for much longer than that, the requests per second are compared: with 100 ms, the generator takes 1 %
// of the time, and with 13 ms it would take 10 %. For requests that cost next to nothing, the CPU time of the workers per request is compared:
// two workers on free cores serve 2 × (CPU with one worker) / (CPU with two workers) as many requests per second. Four cores or more show that
// directly. Two columns say where the rest of the CPU time goes while two workers run: to the generator, nginx and the master, or to nobody here.

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { bundlePackages } from '../../scripts/bundle.js'
import { UserError } from '../../scripts/lib/run.js'
import { cpuTime } from '../lib/cpu.js'
import { Generator } from '../lib/generator.js'
import { Nginx, nginxVersion } from '../lib/nginx.js'
import { summary } from '../lib/stats.js'
import { bar, verdict } from './bar.js'
import { PoolProcess } from './pool-process.js'

const ROUNDS = 5
const WORKERS = [1, 2]

/** The work of a request, in iterations of PBKDF2: about 100 ms and about 10 ms. */
const HEAVY = 400_000
const MEDIUM = 30_000

const express = { name: 'Express 5', path: appFile('express') }
const hono = { name: 'Hono', path: appFile('hono') }

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {{ name: string, path: string }} app
 * @property {number} iterations
 * @property {boolean} nginx
 * @property {number} connections For each worker, so that the workers of both pools find as many requests at a time.
 * @property {'rate' | 'cpu'} by What is compared with fewer than four cores.
 * @property {number} target
 */

/**
 * @typedef {object} Sample
 * @property {number} rate Requests per second.
 * @property {number} cpu Microseconds of the workers per request.
 * @property {number} imbalance CPU time of the busiest worker, as a multiple of the mean.
 * @property {number} others CPU time of the generator, nginx and the master, in per cent of a core.
 * @property {number} rest CPU time of all cores that is left: they idled, or other programs used them. In per cent of a core.
 */

/** @type {Row[]} */
const ROWS = [
  {
    name: 'Hono, 100 ms of computing',
    app: hono,
    iterations: HEAVY,
    nginx: false,
    connections: 4,
    by: 'rate',
    target: 1.9,
  },
  ...[express, hono].flatMap(
    (app) =>
      /** @type {Row[]} */ ([
        {
          name: `${app.name} through nginx, 10 ms of computing`,
          app,
          iterations: MEDIUM,
          nginx: true,
          connections: 8,
          by: 'rate',
          target: 1.7,
        },
        {
          name: `${app.name} through nginx, no work`,
          app,
          iterations: 0,
          nginx: true,
          connections: 32,
          by: 'cpu',
          target: 1.7,
        },
      ]),
  ),
]

/**
 * @param {{ node: string, seconds?: number }} settings
 * @returns {Promise<import('./bar.js').Bar[]>}
 */
export async function measureScaling({ node, seconds = 20 }) {
  if (nginxVersion() === undefined) throw new UserError('nginx is not installed. Run: apt-get install nginx')
  await bundlePackages()
  const cores = availableParallelism()
  console.log(`${cores} cores, ${ROUNDS} rounds of ${(seconds / ROUNDS).toFixed(1)} s for each pool.\n
| | requests per second: 1 worker | 2 workers | × | CPU of the workers per request: 1 worker | 2 workers | × on free cores | load of the busier worker / mean | generator, nginx and master, % of a core | rest, % of a core | target | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |`)
  const results = []
  for (const row of ROWS) {
    const { rate, cpu, rateRatio, cpuRatio, imbalance, others, rest } = await compare(
      row,
      node,
      (seconds * 1000) / ROUNDS,
    )
    const byRate = row.by === 'rate' || cores >= 4
    const result = bar(`two workers, ${row.name}`, (byRate ? rateRatio : cpuRatio) >= row.target)
    results.push(result)
    const target = `≥ ${row.target} ${byRate ? 'requests per second' : 'on free cores'}`
    const figures = [
      rate[0].toFixed(0),
      rate[1].toFixed(0),
      rateRatio.toFixed(2),
      micro(cpu[0]),
      micro(cpu[1]),
      cpuRatio.toFixed(2),
      imbalance.toFixed(2),
      others.toFixed(1),
      rest.toFixed(1),
    ]
    console.log(`| ${[row.name, ...figures, target, verdict(result)].join(' | ')} |`)
  }
  return results
}

/** @param {Row} row */
async function compare({ app, connections, iterations, nginx }, node, milliseconds) {
  const pools = []
  try {
    for (const workers of WORKERS) {
      const pool = await LoadedPool.start({ node, workers, app, nginx })
      pools.push(pool)
      await pool.open({ iterations, connections: workers * connections })
      await pool.run(milliseconds)
    }
    /** @type {Sample[][]} */
    const samples = pools.map(() => [])
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, pool] of pools.entries()) samples[index].push(await pool.run(milliseconds))
    }
    const median = (index, field) => summary(samples[index].map((sample) => sample[field])).median
    const ratio = (of) => summary(samples[0].map((one, round) => of(one, samples[1][round]))).median
    return {
      rate: [median(0, 'rate'), median(1, 'rate')],
      cpu: [median(0, 'cpu'), median(1, 'cpu')],
      rateRatio: ratio((one, two) => two.rate / one.rate),
      cpuRatio: ratio((one, two) => (2 * one.cpu) / two.cpu),
      imbalance: median(1, 'imbalance'),
      others: median(1, 'others'),
      rest: median(1, 'rest'),
    }
  } finally {
    for (const pool of pools) await pool.stop()
  }
}

/** A pool, its load generator, and with `nginx` an nginx between them. */
class LoadedPool {
  #pool
  #nginx
  #generator = new Generator()

  static async start({ node, workers, app, nginx }) {
    const loaded = new LoadedPool()
    try {
      loaded.#pool = await PoolProcess.start({ node, workers, app })
      if (nginx) loaded.#nginx = await Nginx.start('fastcgi', { path: loaded.#pool.path })
    } catch (error) {
      await loaded.stop()
      throw error
    }
    return loaded
  }

  open({ iterations, connections }) {
    const path = iterations > 0 ? `/?iterations=${iterations}` : '/'
    return this.#generator.open({
      address: this.#nginx?.address ?? { path: this.#pool.path },
      protocol: this.#nginx === undefined ? 'fastcgi' : 'http',
      request: { path },
      expected: { body: 'Hello, world!' },
      connections,
      // Workers share connections evenly if the front server keeps none.
      oneRequestEach: this.#nginx === undefined,
    })
  }

  /** Sends requests for some time. @returns {Promise<Sample>} */
  async run(milliseconds) {
    const { workers } = this.#pool
    const before = workers.map(cpuTime)
    const othersBefore = this.#othersTime()
    const { requests, milliseconds: duration, cpu } = await this.#generator.run({ milliseconds })
    const others = this.#othersTime() - othersBefore + cpu
    const spent = workers.map((pid, index) => cpuTime(pid) - before[index])
    const sum = spent.reduce((a, b) => a + b, 0)
    const ofCore = (time) => (time / duration / 1000) * 100
    return {
      rate: (requests / duration) * 1000,
      cpu: sum / requests,
      imbalance: Math.max(...spent) / (sum / spent.length),
      others: ofCore(others),
      rest: availableParallelism() * 100 - ofCore(others + sum),
    }
  }

  /** The CPU time of the master and nginx, in microseconds. */
  #othersTime() {
    return cpuTime(this.#pool.pid) + (this.#nginx?.cpuTime() ?? 0)
  }

  async stop() {
    await this.#generator.stop()
    await this.#nginx?.stop()
    await this.#pool?.stop()
  }
}

function appFile(name) {
  return fileURLToPath(new URL(`apps/${name}.js`, import.meta.url))
}

function micro(microseconds) {
  return microseconds >= 1000 ? `${(microseconds / 1000).toFixed(1)} ms` : `${microseconds.toFixed(0)} µs`
}
