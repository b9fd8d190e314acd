// The memory of an app's process during transfers that are larger than its allowed growth. The peer speaks FastCGI itself,
// because a front server would buffer most of the data on disk.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import {
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_END_REQUEST,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_STDOUT,
  RecordDecoder,
} from '@fcgi-bridge/core'
import { test } from 'vitest'
import { readSlowly } from '../support/apps/content.js'
import { APPS, type AppName } from '../support/fronts/front.ts'
import type { Listening } from '../support/fronts/ports.ts'
import { residentMemory } from '../support/fronts/processes.ts'
import { Site } from '../support/fronts/site.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

/** The allowed growth of a process over its idle size. */
const GROWTH_MAX = 60 * MIB

/**
 * From Node 24 on, V8 collects garbage later: a bare node:http server grows by 65 to 90 MiB with the same uploads and downloads. With
 * a small young generation the resident size is close to the memory in use, unless bytes arrive faster than V8 collects.
 */
const LAZY_COLLECTOR = Number.parseInt(process.versions.node, 10) >= 24
const NODE_OPTIONS = LAZY_COLLECTOR ? '--max-semi-space-size=1' : ''

const REQUEST_ID = 1
const PIECE = encodeRecord(FCGI_STDIN, REQUEST_ID, Buffer.alloc(32 * 1024, 'piece'))

for (const app of APPS) {
  // Each test pauses for about 15 s in total, so they run concurrently.
  const options = { concurrent: true, timeout: 300_000 }

  test(`${app}: upload of 1 GiB to a handler that reads slowly`, options, async ({ expect }) => {
    const growth = await growthOf(app, async ({ at, growth }) => {
      const socket = await ask(at, 'POST', '/slow', GIB)
      const [response] = await Promise.all([readText(socket), sendBody(socket, GIB)])
      expect(response).toContain(`{"length":${GIB}}`)
      return growth()
    })
    expect(growth / MIB).toBeLessThan(GROWTH_MAX / MIB)
  })

  test(`${app}: download of 1 GiB by a client that reads slowly`, options, async ({ expect }) => {
    const growth = await growthOf(app, async ({ at, growth }) => {
      const socket = await ask(at, 'GET', `/content/${GIB}`, 0)
      const length = await readSlowly(stdout(socket))
      expect(length).toBeGreaterThan(GIB)
      expect(length).toBeLessThan(GIB + 1024)
      return growth()
    })
    expect(growth / MIB).toBeLessThan(GROWTH_MAX / MIB)
  })

  test(`${app}: 200 MB for a handler that does not read`, options, async ({ expect }) => {
    const length = 200 * MIB
    const growth = await growthOf(app, async ({ at, site, growth }) => {
      const id = randomUUID()
      const socket = await ask(at, 'POST', `/hold?id=${id}`, length)
      const sent = sendBody(socket, length)
      await site.control.waitFor(id, 'held')
      await Promise.race([sent, stalled(socket)])
      const held = growth()
      site.control.send(id, 'continue')
      expect(await readText(socket)).toContain('held by')
      // The server reads and discards the rest, so that a front server that sends everything before it reads can continue.
      await sent
      return LAZY_COLLECTOR ? held : growth()
    })
    expect(growth / MIB).toBeLessThan(GROWTH_MAX / MIB)
  })
}

interface Running {
  at: Listening
  site: Site
  /** The largest growth of the process since its first request, in bytes. */
  growth: () => number
}

/** Starts an app, and returns the growth that `run` measured. */
async function growthOf(app: AppName, run: (running: Running) => Promise<number>): Promise<number> {
  const site = new Site()
  try {
    const { program, at } = await site.startApp(app, '127.0.0.1:0', { NODE_OPTIONS })
    await readText(await ask(at, 'GET', '/text', 0))
    const idle = residentMemory(program.pid)
    // Reset the high-water mark to the current resident size: proc(5).
    writeFileSync(`/proc/${program.pid}/clear_refs`, '5')
    const growth = () => residentMemory(program.pid, 'VmHWM') - idle
    return await run({ at, site, growth })
  } finally {
    await site.stop()
  }
}

/** Sends a request up to its body. */
async function ask(at: Listening, method: string, uri: string, length: number): Promise<Socket> {
  const socket = connect({ ...at, allowHalfOpen: true } as never)
  await once(socket, 'connect')
  const params = {
    REQUEST_METHOD: method,
    REQUEST_URI: uri,
    SERVER_NAME: 'front.test',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    CONTENT_LENGTH: String(length),
    CONTENT_TYPE: 'application/octet-stream',
  }
  socket.write(encodeBeginRequest(REQUEST_ID, FCGI_RESPONDER, 0))
  socket.write(encodeRecord(FCGI_PARAMS, REQUEST_ID, encodeNameValues(Object.entries(params))))
  socket.write(encodeRecord(FCGI_PARAMS, REQUEST_ID, Buffer.alloc(0)))
  if (length === 0) socket.write(encodeRecord(FCGI_STDIN, REQUEST_ID, Buffer.alloc(0)))
  return socket
}

async function sendBody(socket: Socket, length: number): Promise<void> {
  for (let at = 0; at < length; at += 32 * 1024) {
    if (!socket.write(PIECE)) await once(socket, 'drain')
  }
  socket.write(encodeRecord(FCGI_STDIN, REQUEST_ID, Buffer.alloc(0)))
}

/** Resolves when the server has read nothing for half a second. */
async function stalled(socket: Socket): Promise<void> {
  for (let before = -1; before !== socket.bytesWritten; await setTimeout(500)) before = socket.bytesWritten
}

/** Yields the content of STDOUT, up to END_REQUEST. */
async function* stdout(socket: Socket): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = []
  let ended = false
  const decoder = new RecordDecoder({
    onStream(type, _requestId, chunk, start, end) {
      if (type === FCGI_STDOUT && start < end) pieces.push(chunk.subarray(start, end))
    },
    onDiscrete(type) {
      ended ||= type === FCGI_END_REQUEST
    },
  })
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    decoder.push(chunk)
    yield* pieces.splice(0)
    if (ended) return
  }
  throw new Error('The connection ended before END_REQUEST.')
}

async function readText(socket: Socket): Promise<string> {
  let text = ''
  for await (const piece of stdout(socket)) text += piece.toString('latin1')
  return text
}
