import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { endChild } from '../../scripts/lib/processes.js'
import { cpuTime, memoryBreakdown } from '../lib/cpu.js'
import { fastCgiRequest } from '../lib/request.js'
import { summary } from '../lib/stats.js'
import { ask } from './load.js'
import { asApache, installLeastRelay } from './site.js'

const STARTS = 15
const REQUESTS = 3000

// The programs take turns after this many requests, so that other load on the machine meets all of them.
const TURN = 25

// Milliseconds after which a process is idle.
const IDLE_AFTER = 2000

// mod_fcgid does not set FCGI_KEEP_CONN.
const REQUEST = fastCgiRequest({ oneRequestEach: true })

/**
 * Starts relays as mod_fcgid does, while a holder of the app already runs, and measures them next to the least that a relay can be in Node.
 * Returns the text of the cell.
 */
export async function measureRelay(site) {
  await ask(site, '/')
  const programs = { relay: join(site.folder, 'public/app.fcgi'), least: installLeastRelay(site.folder) }
  /** @type {any[]} */
  const measured = Object.entries(programs).map(([name, program]) => ({ name, program, starts: [], cpu: 0 }))
  for (let count = 0; count < STARTS; count++) {
    for (const each of measured) {
      const { child, time } = await startRelay(site, each.program)
      each.starts.push(time)
      await endChild(child)
    }
  }
  const running = []
  try {
    for (const each of measured) running.push({ ...each, ...(await startRelay(site, each.program)) })
    await setTimeout(IDLE_AFTER)
    for (const each of running) each.atRest = memoryBreakdown(each.child.pid).own
    for (let count = 0; count < REQUESTS; count += TURN) {
      for (const each of running) {
        const before = cpuTime(each.child.pid)
        for (let turn = 0; turn < TURN; turn++) await send(each.path)
        each.cpu += cpuTime(each.child.pid) - before
      }
    }
    return running.map(textOf).join('; ')
  } finally {
    for (const { child } of running) await endChild(child)
  }
}

function textOf({ name, starts, cpu, atRest, child }) {
  const memory = [atRest, memoryBreakdown(child.pid).own]
    .map((bytes) => (bytes / 2 ** 20).toFixed(1))
    .join(' and ')
  return `${name}: ${Math.round(summary(starts).median)} ms, ${Math.round(cpu / REQUESTS)} µs, ${memory} MiB`
}

let sockets = 0

// Resolves when the relay has served a request.
async function startRelay({ folder }, program) {
  const path = join(folder, `relay.${sockets++}`)
  const began = performance.now()
  // As mod_fcgid does, spawn-fcgi passes a listening socket as descriptor 0.
  const [file, ...args] = asApache(['spawn-fcgi', '-n', '-s', path, '--', program])
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env.PATH } })
  await once(child, 'spawn')
  try {
    while (!(await send(path))) {
      if (child.exitCode !== null) throw new Error(`spawn-fcgi exited with status ${child.exitCode}.`)
      await setTimeout(1)
    }
  } catch (error) {
    // Otherwise the site would wait for it to end.
    await endChild(child)
    throw error
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
