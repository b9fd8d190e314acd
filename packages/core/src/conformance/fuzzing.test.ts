// A small fuzz test. tests/fuzz/fuzz.test.ts and `npm run fuzz` fuzz recorded sessions.

import { bytes, get, Peer, pair, record, TYPES } from '@fcgi-bridge/testing'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { closed, connected, echo } from '../testing/serving.ts'

// All types of records that front servers send, on a keep-alive connection.
const SESSION = bytes(
  record(TYPES.GET_VALUES, 0, pair('FCGI_MPXS_CONNS', '')),
  get(1, { HTTP_COOKIE: 'a=1' }, { keepConn: true }),
  record(TYPES.BEGIN_REQUEST, 2, [0, 1, 1, 0, 0, 0, 0, 0]),
  get(3, { REQUEST_METHOD: 'POST' }, { keepConn: true }),
  record(TYPES.ABORT_REQUEST, 2),
  get(1, { REQUEST_URI: '/again' }, { role: 2, keepConn: true }),
)

test('52: random bit flips in a valid session do not affect other connections, and the next clean request is served', async () => {
  const { peer: other, server, sockets } = await connected({ responder: echo, authorizer: echo })
  const flips = fc.array(fc.tuple(fc.nat(SESSION.length - 1), fc.nat(7)), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(flips, async (places) => {
      const wire = Buffer.from(SESSION)
      for (const [at, bit] of places) wire[at]! ^= 1 << bit
      const peer = await Peer.connect(server.address() as { port: number })
      peer.write(wire).halfClose()
      other.get(1, { REQUEST_URI: '/clean' }, { keepConn: true })
      expect((await other.response(1)).stdout).toMatch(/\r\n\r\nGET \/clean $/)
      other.forget()
      // The server closes the connection in any case.
      await peer.close()
      await closed(sockets.pop()!)
    }),
    { numRuns: 500 },
  )
})
