// The memory of a process under peers that try to exhaust it. The bounds come from packages/core/LIMITS.md.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { ServeOptions } from '@fcgi-bridge/core'
import { begin, bytes, get, Peer, POST, params, record, TYPES } from '@fcgi-bridge/testing'
import { expect, onTestFinished, test } from 'vitest'
import { residentMemory } from '../support/fronts/processes.ts'
import { Site } from '../support/fronts/site.ts'

const MIB = 1024 * 1024

const bounds = new Map(
  [
    ...readFileSync(new URL('../../packages/core/LIMITS.md', import.meta.url), 'utf8').matchAll(
      /^\| ([^|]+?) *\| (\d+) MiB/gm,
    ),
  ].map(([, situation, size]) => [situation!, Number(size)]),
)

/** A process that serves apps/hostile.js, and its memory growth. */
class Victim {
  readonly at: { path: string }
  readonly #pid: number
  readonly #idle: number

  private constructor(at: { path: string }, pid: number) {
    this.at = at
    this.#pid = pid
    this.#idle = residentMemory(pid)
    // Reset the high-water mark to the current resident size: proc(5).
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  }

  static async start(options: ServeOptions = {}): Promise<Victim> {
    const site = new Site()
    onTestFinished(() => site.stop())
    const { program, at } = await site.startApp('hostile', site.path('app.sock'), {
      FCGI_BRIDGE_TEST_OPTIONS: JSON.stringify(options),
    })
    const peer = await Peer.connect(at as { path: string })
    peer.get(1)
    await peer.response(1)
    peer.destroy()
    return new Victim(at as { path: string }, program.pid)
  }

  async connect(): Promise<Peer> {
    const peer = await connectWhenRoom(this.at)
    onTestFinished(() => peer.destroy())
    return peer
  }

  async connections(count: number): Promise<Peer[]> {
    const peers: Peer[] = []
    while (peers.length < count) {
      const length = Math.min(100, count - peers.length)
      peers.push(...(await Promise.all(Array.from({ length }, () => this.connect()))))
    }
    return peers
  }

  /** The memory in use after a garbage collection, and the active resources of the process. */
  async heap(): Promise<{ heap: number; handles: number }> {
    const peer = await connectWhenRoom(this.at)
    peer.get(1, { REQUEST_URI: '/heap' })
    const { stdout } = await peer.response(1)
    peer.destroy()
    return JSON.parse(stdout.slice(stdout.indexOf('{')))
  }

  /** Fails if the process ever grew by more than LIMITS.md allows for `situation`. */
  checkGrowth(situation: string): void {
    const growth = (residentMemory(this.#pid, 'VmHWM') - this.#idle) / MIB
    console.log(`${situation}: ${growth.toFixed(1)} MiB`)
    expect(bounds.get(situation), `the bound of "${situation}"`).toBeDefined()
    expect(growth).toBeLessThan(bounds.get(situation)!)
  }

  /** Sends a valid request and expects its response. */
  async checkService(): Promise<void> {
    const peer = await this.connect()
    peer.get(1)
    expect((await peer.response(1)).stdout).toMatch(/served\n$/)
  }
}

/** Connects, and retries while the accept queue is full: a Unix socket refuses connections then. */
async function connectWhenRoom(at: { path: string }): Promise<Peer> {
  for (;;) {
    try {
      return await Peer.connect(at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await setTimeout(1)
    }
  }
}

/** Waits until no peer has been able to send anything for one second. */
async function stalled(peers: readonly Peer[]): Promise<void> {
  const waiting = () => peers.reduce((sum, { socket }) => sum + socket.writableLength, 0)
  for (let before = -1; before !== waiting(); await setTimeout(1000)) before = waiting()
}

// The tests run concurrently because each mostly waits.
const options = { timeout: 240_000 }

test('1000 connections that send half a header and stop', options, async ({ task }) => {
  const victim = await Victim.start({ idleTimeout: 3000 })
  const peers = await victim.connections(1000)
  for (const peer of peers) peer.write([1, 1, 0, 1])
  await victim.checkService()
  // Half a header is not a request, so the connection is idle.
  await Promise.all(peers.map((peer) => peer.end()))
  victim.checkGrowth(task.name)
})

test('1000 requests whose params arrive at one byte per second', options, async ({ task }) => {
  const victim = await Victim.start({ paramsTimeout: 4000 })
  const peers = await victim.connections(1000)
  // The header of a record with 65535 bytes of content.
  const header = record(TYPES.PARAMS, 1, Buffer.alloc(65535)).subarray(0, 8)
  for (const peer of peers) peer.write(begin(1), header)
  const responses = Promise.all(peers.map((peer) => peer.response(1)))
  let over = false
  responses.finally(() => {
    over = true
  })
  while (!over) {
    for (const peer of peers) if (!peer.ended) peer.write('x')
    await Promise.race([responses, setTimeout(1000)])
  }
  for (const { stdout } of await responses) expect(stdout).toMatch(/^Status: 408 /)
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('a peer that opens a million requests on one connection', options, async ({ task }) => {
  const victim = await Victim.start()
  const peer = await victim.connect()
  const all = Buffer.concat(Array.from({ length: 65535 }, (_, i) => begin(i + 1, { keepConn: true })))
  // Accepted requests stay open. Rejected ids may be used again.
  const others = all.subarray(256 * 16)
  peer.socket.removeAllListeners('data')
  let received = 0
  peer.socket.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  peer.socket.write(all)
  for (let round = 1; round < 16; round++) if (!peer.socket.write(others)) await once(peer.socket, 'drain')
  await victim.checkService()
  expect(received).toBeGreaterThan(64 * 1_000_000)
  victim.checkGrowth(task.name)
})

test('a peer that also does not read the 503 responses', options, async ({ task }) => {
  const victim = await Victim.start()
  const peer = await victim.connect()
  peer.socket.pause()
  const all = Buffer.concat(Array.from({ length: 65535 }, (_, i) => begin(i + 1, { keepConn: true })))
  for (let round = 0; round < 16; round++) peer.socket.write(round === 0 ? all : all.subarray(256 * 16))
  await stalled([peer])
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('100 connections that send requests without end and do not read', options, async ({ task }) => {
  const victim = await Victim.start()
  const peers = await victim.connections(100)
  const queries = Buffer.concat(Array(50_000).fill(record(12, 0)))
  const refusals = Buffer.concat(Array.from({ length: 50_000 }, (_, i) => begin(i + 1, { keepConn: true })))
  for (const [i, peer] of peers.entries()) {
    peer.socket.pause()
    // The server rejects most of these requests, so other peers' requests still have room.
    for (let round = 0; round < 3; round++) peer.write(i % 10 === 0 ? refusals : queries)
  }
  await stalled(peers)
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('4 connections with 256 requests of 300 KB of params each', options, async ({ task }) => {
  const victim = await Victim.start()
  const peers = await victim.connections(4)
  const list = { ...POST, REQUEST_URI: '/unread', X: 'x'.repeat(300_000) }
  for (let id = 1; id <= 256; id++) {
    for (const peer of peers) {
      // Every second PARAMS stream does not end.
      const all = bytes(begin(id, { keepConn: true }), params(id, list))
      if (!peer.socket.write(id % 2 === 0 ? all : all.subarray(0, -8))) await once(peer.socket, 'drain')
    }
  }
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('200 endless responses that no peer reads', options, async ({ task }) => {
  const victim = await Victim.start({ writeTimeout: 3000 })
  const peers = await victim.connections(200)
  for (const peer of peers) {
    peer.socket.pause()
    peer.get(1, { REQUEST_URI: '/endless' })
  }
  await victim.checkService()
  // The server closes these connections. A peer notices when it writes.
  await Promise.all(
    peers.map(async (peer) => {
      while (!peer.closed) {
        peer.write(record(TYPES.GET_VALUES, 0))
        await setTimeout(200)
      }
    }),
  )
  victim.checkGrowth(task.name)
})

test('20 requests that write 10 MiB of STDERR each that no peer reads', options, async ({ task }) => {
  const victim = await Victim.start()
  for (const peer of await victim.connections(20)) {
    peer.socket.pause()
    peer.get(1, { REQUEST_URI: '/stderr' })
  }
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('8 connections with 64 request bodies each that no app reads', options, async ({ task }) => {
  const victim = await Victim.start()
  const peers = await victim.connections(8)
  const ids = Array.from({ length: 64 }, (_, i) => i + 1)
  const list = { ...POST, REQUEST_URI: '/unread' }
  for (const peer of peers) {
    peer.write(...ids.map((id) => bytes(begin(id, { keepConn: true }), params(id, list))))
    for (let i = 0; i < 16; i++) peer.write(...ids.map((id) => record(TYPES.STDIN, id, Buffer.alloc(65_000))))
  }
  await stalled(peers)
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('100,000 connects and disconnects', options, async ({ task }) => {
  const victim = await Victim.start()
  const connectAndLeave = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const peer = await connectWhenRoom(victim.at)
      if (i % 4 === 0) peer.write(begin(1))
      peer.destroy()
    }
  }
  const connect = (count: number) =>
    Promise.all(Array.from({ length: 20 }, () => connectAndLeave(count / 20)))
  await connect(10_000)
  const before = await victim.heap()
  await connect(90_000)
  // The last peers disconnected before the server accepted them.
  const difference = async () => {
    const after = await victim.heap()
    return { handles: after.handles - before.handles, growth: (after.heap - before.heap) / MIB }
  }
  await expect
    .poll(difference, { interval: 200 })
    .toSatisfy(({ handles, growth }) => handles <= 0 && growth < 1)
  await victim.checkService()
  victim.checkGrowth(task.name)
})

test('1,000,000 requests', options, async ({ task }) => {
  const victim = await Victim.start()
  const ids = Array.from({ length: 50 }, (_, i) => i + 1)
  const batch = Buffer.concat(ids.map((id) => get(id, {}, { keepConn: true })))
  const peers = await victim.connections(4)
  for (const peer of peers) peer.socket.removeAllListeners('data')
  const send = async (count: number) => {
    await Promise.all(
      peers.map(async ({ socket }) => {
        for (let i = 0; i < count; i += ids.length * peers.length) {
          socket.write(batch)
          // Head and body, the end of STDOUT, and END_REQUEST.
          for (let left = ids.length * RESPONSE_LENGTH; left > 0; )
            left -= (await once(socket, 'data'))[0].length
        }
      }),
    )
  }
  const heaps: number[] = []
  for (let part = 0; part < 10; part++) {
    await send(100_000)
    heaps.push((await victim.heap()).heap)
  }
  expect((heaps.at(-1)! - heaps[0]!) / MIB).toBeLessThan(1)
  victim.checkGrowth(task.name)
})

// The length of a response of apps/hostile.js: a padded record with "Status: 200 OK", an empty line and "served", then the end of
// STDOUT and END_REQUEST.
const RESPONSE_LENGTH = 8 + 32 + 8 + 16
