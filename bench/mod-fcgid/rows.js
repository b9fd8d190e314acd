import { utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, burst, closedLoop, underLoad } from './load.js'
import { appsIn, cpuOf, totalMemory } from './processes.js'
import { measureRelay } from './relay.js'

// The app is warm after this many requests, as far as its JIT is concerned.
const WARM_UP = 2000

// mod_fcgid runs this many processes while their memory is measured.
const PROCESSES = 8

// Memory is measured after these numbers of requests.
const FEW = 40 * PROCESSES
const MANY = 1000 * PROCESSES

// Two seconds between restarts: the app starts in about one on a busy machine.
const RESTART_INTERVAL = 2000

/**
 * @typedef {object} Row
 * @property {(load: { interval: number, fast: number }) => string} name
 * @property {(site: any, load: any) => Promise<string>} measure Returns the text of the cell.
 * @property {(setup: { kind: string }) => boolean} [isFor] Default: for all setups, except those that only show a limit.
 */

/**
 * The rows of the table, in groups that need an Apache of their own. `settings` returns its settings for mod_fcgid or Passenger.
 * @type {{ settings: (setup: { kind: string }) => object, rows: Row[] }[]}
 */
export const GROUPS = [
  {
    settings: ({ kind }) => (kind === 'Passenger' ? {} : { FcgidMaxProcessesPerClass: PROCESSES }),
    rows: [
      ...[FEW, MANY].map((requests) => ({
        name: () => `${PROCESSES} processes, ${requests} requests in all: private memory (PSS)`,
        measure: (site) => memory(site, requests),
        isFor: ({ kind }) => kind !== 'proxied C' && kind !== 'proxied loop',
      })),
    ],
  },
  {
    settings: () => ({}),
    rows: [
      { name: () => 'first request', measure: first },
      {
        name: () => 'a relay: start, CPU per request, private memory at rest and after 3000 requests',
        measure: measureRelay,
        isFor: (setup) => setup.kind === 'shared',
      },
      { name: () => '100 requests of 20 ms at once, the last', measure: atOnce },
      {
        name: () => 'CPU per request, 4 connections: Apache + app',
        measure: cpu,
        isFor: ({ kind }) => kind !== 'own, default flags',
      },
      { name: () => 'undisturbed', measure: (site, load) => underLoad(site, load) },
      {
        name: ({ fast }) => `undisturbed, ${fast}/s`,
        measure: (site, load) => underLoad(site, faster(load)),
      },
      {
        name: ({ interval }) => `SIGTERM to the app each ${interval / 1000} s`,
        measure: (site, load) => underLoad(site, load, load.interval, () => terminate(site)),
      },
      { name: () => 'restart.txt each 2 s', isFor: restarts, measure: (site, load) => restarted(site, load) },
      {
        name: ({ fast }) => `restart.txt each 2 s, ${fast}/s`,
        isFor: restarts,
        measure: (site, load) => restarted(site, faster(load)),
      },
    ],
  },
  {
    settings: ({ kind }) =>
      kind === 'Passenger' ? { PassengerMaxRequests: 500 } : { FcgidMaxRequestsPerProcess: 500 },
    rows: [{ name: ({ fast }) => `500 requests per process, ${fast}/s`, measure: warmThenFast }],
  },
  {
    settings: ({ kind }) =>
      kind === 'Passenger' ? { PassengerPoolIdleTime: 1 } : { FcgidIdleTimeout: 1, FcgidIdleScanInterval: 1 },
    rows: [{ name: () => 'ended after 1 s without a request', measure: idle }],
  },
]

function faster(load) {
  return { ...load, rate: load.fast }
}

// The C program does not read restart.txt.
function restarts(setup) {
  return isWhole(setup) && setup.kind !== 'C'
}

/** Whether a setup has all rows. The others show what is not possible, or what a setting saves. */
export function isWhole({ kind }) {
  return !['own, default flags', 'least', 'proxied C', 'proxied loop'].includes(kind)
}

async function first(site) {
  const began = performance.now()
  await ask(site, '/')
  return `${Math.round(performance.now() - began)} ms`
}

async function memory(site, requests) {
  const { kind, folder } = site
  // mod_fcgid starts a process if all are busy, and a request then waits for a second. With the least relays, the holder is not one of its own.
  const isOne = kind === 'proxied' || kind === 'Passenger'
  const count = isOne ? 1 : PROCESSES + (kind === 'least' ? 1 : 0)
  // Once the app runs, mod_proxy_fcgi starts no relays.
  await ask(site, '/')
  const until = performance.now() + 60_000
  while (appsIn(folder).length < count && performance.now() < until) await burst(site, 2 * PROCESSES, 500)
  for (; site.sent < requests; site.sent += PROCESSES) await burst(site, PROCESSES, 20)
  const pids = appsIn(folder)
  const { own, proportional } = totalMemory(pids)
  return `${pids.length}: ${Math.round(own)} (${Math.round(proportional)}) MiB`
}

async function atOnce(site) {
  return `${Math.round(await burst(site, 100, 20))} ms`
}

async function cpu(site, { seconds }) {
  await closedLoop(site, 4, (count) => count >= WARM_UP)
  const before = cpuOf(site)
  const began = performance.now()
  const count = await closedLoop(site, 4, () => performance.now() - began > seconds * 500)
  const after = cpuOf(site)
  const [others, app] = [after.others - before.others, after.app - before.app].map((time) => time / count)
  return `${Math.round(others)} + ${Math.round(app)} = ${Math.round(others + app)} µs`
}

function restarted(site, load) {
  return underLoad(site, load, RESTART_INTERVAL, () => {
    const file = join(site.folder, 'app/tmp/restart.txt')
    writeFileSync(file, '')
    utimesSync(file, new Date(), new Date())
  })
}

// Makes mod_fcgid start ten processes, and warms them up.
async function startTen(site) {
  for (let round = 0; round < 5; round++) await burst(site, 10, 50)
}

// The processes are started first, so that no request waits for the start of one.
async function warmThenFast(site, load) {
  await startTen(site)
  return underLoad(site, faster(load))
}

// Ten processes are started for a load that needs fewer. Most of them then get no request.
async function idle(site, load) {
  await startTen(site)
  return underLoad(site, load)
}

async function terminate(site) {
  const { status, text } = await ask(site, '/')
  if (status === 200) process.kill(JSON.parse(text).pid, 'SIGTERM')
}
