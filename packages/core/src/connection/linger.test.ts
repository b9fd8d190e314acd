import { ROLES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import type { Exchange } from '../exchange/exchange.ts'
import { closed, connected, deferred, TRANSPORTS } from '../testing/serving.ts'

// So long that a test fails if it waits for that.
const LONG = { lingerTimeout: 600_000 }

const respond = (exchange: Exchange): void => exchange.end('early')

describe.each(TRANSPORTS)('a connection that is not kept, over %s', (transport) => {
  test('is closed after the response to a complete request, although the peer does not close it', async () => {
    const sent = deferred<unknown>()
    const handler = (exchange: Exchange): void => exchange.end('text', (error) => sent.resolve(error))
    const { peer, sockets } = await connected(handler, LONG, transport)
    peer.get(1)
    expect((await peer.response(1)).stdout).toMatch(/text$/)
    await peer.end()
    await closed(sockets[0]!)
    expect(await sent.promise).toBeFalsy()
    expect(peer.error).toBeUndefined()
  })

  test.each([
    ['the request body', respond, ROLES.responder],
    ['input for an authorizer', { authorizer: respond }, ROLES.authorizer],
  ])('is not reset if %s arrives after the response', async (_, handler, role) => {
    const { peer, sockets } = await connected(handler, LONG, transport)
    peer.post(1, { CONTENT_LENGTH: '10' }, { role })
    await peer.end()
    expect(sockets[0]!.destroyed).toBe(false)
    peer.stdin(1, '0123456789').endStdin(1)
    await peer.flushed()
    peer.halfClose()
    await closed(sockets[0]!)
    expect(peer.error).toBeUndefined()
    expect((await peer.response(1)).stdout).toMatch(/early$/)
  })
})
