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
import { serveForTest } from './testing/served.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void

const REQUESTS = 500
// In bytes for each request. A request that an old object keeps alive takes at least 3500 bytes. Code that V8 compiles during the test takes
// a few hundred.
const LEFT_MAX = 1500

// Two collections: an object that survives the first is moved to the old space by the second.
function oldSpaceAfterMinorCollections(): number {
  collectGarbage({ type: 'minor' })
  collectGarbage({ type: 'minor' })
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size
}

function request(params: Record<string, string>, body: string): Buffer {
  const stdin = body === '' ? [] : [encodeRecord(FCGI_STDIN, 1, Buffer.from(body))]
  const all = { ...params, CONTENT_LENGTH: String(body.length) }
  return Buffer.concat([
    encodeBeginRequest(1, FCGI_RESPONDER, FCGI_KEEP_CONN),
    encodeRecord(FCGI_PARAMS, 1, encodeNameValues(Object.entries(all))),
    encodeRecord(FCGI_PARAMS, 1, Buffer.alloc(0)),
    ...stdin,
    encodeRecord(FCGI_STDIN, 1, Buffer.alloc(0)),
  ])
}

test.each([
  ['GET', ''],
  ['POST', 'text'],
])('minor collections free everything that requests allocate: %s', async (method, body) => {
  const { port } = await serveForTest((incoming, response) => {
    if (method === 'POST') incoming.resume().on('end', () => response.end('done'))
    else response.end('done')
  })
  const socket = connect({ port, host: '127.0.0.1' })
  const bytes = request({ REQUEST_METHOD: method, REQUEST_URI: '/', HTTP_HOST: 'example.test' }, body)
  const send = async () => {
    socket.write(bytes)
    await once(socket, 'data')
  }
  for (let i = 0; i < REQUESTS; i++) await send()
  collectGarbage({ type: 'major' })
  const before = oldSpaceAfterMinorCollections()
  for (let i = 0; i < REQUESTS; i++) {
    await send()
    if (i % 100 === 99) oldSpaceAfterMinorCollections()
  }
  const bytesLeft = (oldSpaceAfterMinorCollections() - before) / REQUESTS
  socket.destroy()
  expect(bytesLeft).toBeLessThan(LEFT_MAX)
})
