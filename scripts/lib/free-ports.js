// Finds ports for programs that cannot listen on port 0: front servers, and programs that are restarted on the same port.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

// Above the well-known ports, and above the ports that browsers and `fetch` block.
const LOWEST = 11_000
const HIGHEST = 65_535

const SHARES = 64

const [first, last] = range()
const size = Math.floor((last - first + 1) / SHARES)
let share
let next = 0

/**
 * Returns free ports of 127.0.0.1. They are outside the ephemeral range of the system, and another running process that calls this
 * function gets other ones. So nothing else takes them before they are used.
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

/** Reserves a share of the ports for this process until it exits, and returns its number. */
async function takeShare() {
  const guess = process.pid % SHARES
  // Only Linux has abstract sockets, which disappear when their process exits.
  if (process.platform !== 'linux') return guess
  for (let i = 0; i < SHARES; i++) {
    const share = (guess + i) % SHARES
    const holder = await listening({ path: `\0fcgi-bridge/ports/${share}` })
    if (holder !== undefined) {
      holder.unref()
      return share
    }
  }
  throw new Error(`All ${SHARES} shares of the ports are reserved by other running processes.`)
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

/** The first and the last port of the larger range outside the ephemeral range. The whole range if there is too little outside. */
function range() {
  const [low, high] = ephemeralRange()
  if (low - LOWEST > HIGHEST - high) return [LOWEST, low - 1]
  return HIGHEST - high > 1000 ? [high + 1, HIGHEST] : [LOWEST, HIGHEST]
}

// The setting of Linux (ip(7)), or its default on other systems.
function ephemeralRange() {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/).map(Number)
  } catch {
    return [32_768, 60_999]
  }
}
