// Ports for programs that have to be told one: front servers, and what is started again in the place of another.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

// Higher than those that services are known by, and those that browsers and `fetch` refuse to connect to.
const LOWEST = 11_000
const HIGHEST = 65_535

// Processes whose ids follow each other have ports of their own.
const SHARES = 128

const [first, last] = range()
const share = Math.floor((last - first + 1) / SHARES)
const begin = first + (process.pid % SHARES) * share
let next = 0

/**
 * Ports of 127.0.0.1 that nothing listens on now. They are not among those that the system gives to whoever asks for any: a test
 * beside this one that listens on port 0 will not have taken one before it is used.
 * @param {number} count
 * @returns {Promise<number[]>}
 */
export async function freePorts(count) {
  const ports = []
  while (ports.length < count) {
    const port = begin + (next++ % share)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port) {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
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
