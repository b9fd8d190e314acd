import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect } from 'node:net'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
} from '@fcgi-bridge/core'
import { expect, test } from 'vitest'
import { toHandler } from '../index.ts'
import { listen } from '../testing/front.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void

// V8 decides where to allocate objects of one place in the code when a hundred or more of them are alive at a minor collection.
const CONCURRENT = 250
const ROUNDS = 20
const MEASURED = 500
// In bytes for each request. A request that an old object keeps alive takes at least 3500 bytes. Code that V8 compiles during the test
// takes a few hundred.
const LEFT_MAX = 1500

// Two collections: an object that survives the first is moved to the old space by the second.
function oldSpaceAfterMinorCollections(): number {
  collectGarbage({ type: 'minor' })
  collectGarbage({ type: 'minor' })
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size
}

function request(requestId: number): Buffer {
  const params = { REQUEST_METHOD: 'GET', REQUEST_URI: '/', HTTP_HOST: 'front.test' }
  return Buffer.concat([
    encodeBeginRequest(requestId, FCGI_RESPONDER, FCGI_KEEP_CONN),
    encodeRecord(FCGI_PARAMS, requestId, encodeNameValues(Object.entries(params))),
    encodeRecord(FCGI_PARAMS, requestId, Buffer.alloc(0)),
    encodeRecord(FCGI_STDIN, requestId, Buffer.alloc(0)),
  ])
}

test('minor collections free everything that requests allocate while a monitoring tool looks', async () => {
  subscribe('http.server.request.start', () => {})
  let waiting: (() => void)[] = []
  let expected = 1
  const handler = toHandler(
    () =>
      new Promise((resolve) => {
        waiting.push(() => resolve(new Response('done')))
        if (waiting.length < expected) return
        if (expected > 1) oldSpaceAfterMinorCollections()
        for (const respond of waiting) respond()
        waiting = []
      }),
    { overrideGlobalObjects: true },
  )
  const { port } = (await listen(handler)).address() as { port: number }
  const socket = connect({ port, host: '127.0.0.1' })
  const one = request(1)
  socket.write(one)
  const [{ length }] = (await once(socket, 'data')) as [Buffer]
  const send = async (bytes: Buffer, count: number): Promise<void> => {
    expected = count
    socket.write(bytes)
    for (let received = 0; received < count * length; ) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      received += chunk.length
    }
  }
  const all = Buffer.concat(Array.from({ length: CONCURRENT }, (_, index) => request(index + 1)))
  for (let round = 0; round < ROUNDS; round++) await send(all, CONCURRENT)
  for (let i = 0; i < MEASURED; i++) await send(one, 1)
  collectGarbage({ type: 'major' })
  const before = oldSpaceAfterMinorCollections()
  for (let i = 0; i < MEASURED; i++) {
    await send(one, 1)
    if (i % 100 === 99) oldSpaceAfterMinorCollections()
  }
  const bytesLeft = (oldSpaceAfterMinorCollections() - before) / MEASURED
  socket.destroy()
  expect(bytesLeft).toBeLessThan(LEFT_MAX)
})
