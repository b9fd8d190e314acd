// Ports for programs that have to be told one: front servers, and what is started again in the place of another.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

// Higher than those that services are known by, and those that browsers and `fetch` refuse to connect to.
const LOWEST = 11_000
const HIGHEST = 65_535

const SHARES = 64

const [first, last] = range()
const size = Math.floor((last - first + 1) / SHARES)
let share
let next = 0

/**
 * Ports of 127.0.0.1 that nothing listens on now. They are not among those that the system gives to whoever asks for any, nor
 * among those of another process that called this and runs: none will have been taken before it is used.
 * @param {number} count
 * @returns {Promise<number[]>}
 */
export async function freePorts(count) {
  share ??= takeShare()
  const begin = first + (await share) * size
  const ports = []
  while (ports.length < count) {
    const port = begin + (next++ % size)
    if (await isFree({ port, host: '127.0.0.1' })) ports.push(port)
  }
  return ports
}

/** The number of a share of the ports, this process's until it ends. */
async function takeShare() {
  const guess = process.pid % SHARES
  // Elsewhere there is no name that ends with its process.
  if (process.platform !== 'linux') return guess
  for (let i = 0; i < SHARES; i++) {
    const share = (guess + i) % SHARES
    const holder = await listening({ path: `\0fcgi-bridge/ports/${share}` })
    if (holder !== undefined) {
      holder.unref()
      return share
    }
  }
  throw new Error(`${SHARES} processes that ask for ports run already.`)
}

async function isFree(where) {
  const server = await listening(where)
  if (server === undefined) return false
  await once(server.close(), 'close')
  return true
}

async function listening(where) {
  const server = createServer().listen(where)
  try {
    await once(server, 'listening')
    return server
  } catch {
    return undefined
  }
}

/** The first and the last port of the larger range beside the system's own; all, where it leaves none. */
function range() {
  const [low, high] = ephemeralRange()
  if (low - LOWEST > HIGHEST - high) return [LOWEST, low - 1]
  return HIGHEST - high > 1000 ? [high + 1, HIGHEST] : [LOWEST, HIGHEST]
}

// Of Linux, proc_sys_net(5); elsewhere its default.
function ephemeralRange() {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)
  } catch {
    return [32_768, 60_999]
  }
}
