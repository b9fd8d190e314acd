import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'

/** The queue of connections that wait to be accepted. */
export interface ListenQueue {
  waiting: number
  /** How many may wait. Linux drops further connection attempts, and clients repeat them. */
  limit: number
}

// The state of a listening socket in /proc/net/tcp: TCP_LISTEN in include/net/tcp_states.h of Linux.
const LISTEN = '0A'
// What Node passes to listen(2).
const DEFAULT_BACKLOG = 511

/**
 * The queues of the TCP sockets among `addresses`, added up. Undefined if there is none, or on a system other than Linux. The queue of a
 * Unix socket cannot be read without netlink.
 */
export function listenQueue(
  addresses: readonly (AddressInfo | string)[],
  backlog: number = DEFAULT_BACKLOG,
): ListenQueue | undefined {
  const wanted = new Set(addresses.filter((address) => typeof address !== 'string').map(keyOf))
  if (wanted.size === 0) return undefined
  try {
    const somaxconn = Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1'))
    let waiting = 0
    for (const { key, queue } of listeningSockets()) if (wanted.has(key)) waiting += queue
    return { waiting, limit: Math.min(backlog, somaxconn) * wanted.size }
  } catch {
    return undefined
  }
}

function* listeningSockets(): Generator<{ key: string; queue: number }> {
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of tableOf(table).split('\n')) {
      // sl, local_address, rem_address, st, tx_queue:rx_queue. For a listening socket, rx_queue is the length of its accept queue.
      const [, local, , state, queues] = line.trim().split(/ +/)
      if (state === LISTEN) yield { key: local!, queue: Number.parseInt(queues!.split(':')[1]!, 16) }
    }
  }
}

// A kernel without IPv6 has no table for it.
function tableOf(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** The address as the kernel prints it: each 32-bit word of the IP address in hexadecimal, in the byte order of this machine. */
function keyOf({ address, port, family }: AddressInfo): string {
  const bytes = family === 'IPv6' ? ipv6Bytes(address) : address.split('.').map(Number)
  const words = new Uint32Array(Uint8Array.from(bytes).buffer)
  const ip = [...words].map((word) => word.toString(16).toUpperCase().padStart(8, '0')).join('')
  return `${ip}:${port.toString(16).toUpperCase().padStart(4, '0')}`
}

function ipv6Bytes(address: string): number[] {
  // The URL parser writes an embedded IPv4 address as two groups.
  const { hostname } = new URL(`http://[${address.split('%')[0]}]`)
  const [before, after] = hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined): number[] =>
    text ? text.split(':').map((group) => Number.parseInt(group, 16)) : []
  const head = groups(before)
  const tail = groups(after)
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0)
  return [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff])
}
