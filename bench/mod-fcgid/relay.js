import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { endChild } from '../../scripts/lib/processes.js'
import { cpuTime, memoryOf } from '../lib/cpu.js'
import { fastCgiRequest } from '../lib/request.js'
import { summary } from '../lib/stats.js'
import { ask } from './load.js'
import { asApache } from './site.js'

const STARTS = 7
const REQUESTS = 3000

// Milliseconds after which a process is idle.
const IDLE_AFTER = 2000

// mod_fcgid does not set FCGI_KEEP_CONN.
const REQUEST = fastCgiRequest({ oneRequestEach: true })

/** Starts relays as mod_fcgid does, while a holder of the app already runs, and measures them. */
export async function measureRelay(site) {
  await ask(site, '/')
  const starts = []
  for (let count = 0; count < STARTS; count++) {
    const { child, time } = await startRelay(site, count)
    starts.push(time)
    await endChild(child)
  }
  const { child, path } = await startRelay(site, STARTS)
  await setTimeout(IDLE_AFTER)
  const pid = /** @type {number} */ (child.pid)
  const atRest = memoryOf(pid).own / 2 ** 20
  const before = cpuTime(pid)
  for (let count = 0; count < REQUESTS; count++) await send(path)
  const cpu = (cpuTime(pid) - before) / REQUESTS
  const later = memoryOf(pid).own / 2 ** 20
  await endChild(child)
  const memory = [atRest, later].map((mebibytes) => mebibytes.toFixed(0)).join(' and ')
  return `${Math.round(summary(starts).median)} ms, ${Math.round(cpu)} µs, ${memory} MiB`
}

// Resolves when the relay has served a request.
async function startRelay({ folder }, number) {
  const path = join(folder, `relay.${number}`)
  const began = performance.now()
  // As mod_fcgid does, spawn-fcgi passes a listening socket as descriptor 0.
  const [file, ...args] = asApache(['spawn-fcgi', '-n', '-s', path, '--', join(folder, 'public/app.fcgi')])
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env.PATH } })
  await once(child, 'spawn')
  while (!(await send(path))) {
    if (child.exitCode !== null) throw new Error(`spawn-fcgi exited with status ${child.exitCode}.`)
    await setTimeout(1)
  }
  return { child, path, time: performance.now() - began }
}

// Sends a request to the socket. Resolves with false if no process listens on it yet.
async function send(path) {
  const socket = connect(path)
  let length = 0
  let isReached = true
  socket.on('data', (chunk) => {
    length += chunk.length
  })
  socket.on('error', () => {
    isReached = false
  })
  socket.write(REQUEST)
  await new Promise((resolve) => socket.once('close', resolve))
  if (isReached && length < 100) throw new Error(`The relay sent ${length} bytes.`)
  return isReached
}
