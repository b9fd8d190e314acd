import type { Check } from '../check.ts'
import { record, stream, TYPES } from '../wire/bytes.ts'

const MEGABYTE = 1024 * 1024

/** Sections 3.5 and 5.1: when the server closes the connection. */
export const CLOSING: readonly Check[] = [
  {
    id: 'closing/closes',
    section: '5.1',
    level: 'must',
    requirement: 'Without KEEP_CONN the server closes the connection after the response.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10'))
      await connection.expectOk(1)
      await connection.expectClosed()
      connection.expectNoReset()
    },
  },
  {
    id: 'closing/keeps',
    section: '5.1',
    level: 'must',
    requirement:
      'With KEEP_CONN the server keeps the connection open, and handles 20 requests in sequence on it.',
    async run(server) {
      const connection = await server.connect()
      for (let i = 0; i < 20; i++) {
        connection.clear().write(server.request(1, '/body', { body: `body ${i}`, keepConn: true }))
        await connection.expectOk(1, `body ${i}`)
      }
    },
  },
  {
    id: 'closing/changes-its-mind',
    section: '5.1',
    level: 'must',
    requirement:
      'KEEP_CONN applies to one request: after the first request without it, the server closes the connection.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10', { keepConn: true }))
      await connection.expectOk(1)
      connection.clear().write(server.request(2, '/bytes/10'))
      await connection.expectOk(2)
      await connection.expectClosed()
    },
  },
  {
    id: 'closing/half-closed',
    section: '5.1',
    level: 'should',
    requirement: 'A front server that half-closes the connection after its request gets the whole response.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/slow/300')).halfClose()
      await connection.expectOk(1, 'slow')
    },
  },
  {
    id: 'closing/unread-body',
    section: '5.1',
    level: 'should',
    requirement:
      'If the app responds without reading the request body, the front server can send the whole body and gets the whole response, without a reset.',
    async run(server) {
      const connection = await server.connect()
      const body = 'x'.repeat(3 * MEGABYTE)
      connection.pause()
      connection.write(server.beginAndParams(1, '/bytes/100000', { body }))
      await connection.writeAndFlush(stream(TYPES.STDIN, 1, body))
      await connection.writeAndFlush(record(TYPES.STDIN, 1))
      connection.resume()
      await connection.expectOk(1, '0123456789'.repeat(10_000))
      await connection.expectClosed()
      connection.expectNoReset()
    },
  },
  {
    id: 'closing/unread-body-kept',
    section: '5.1',
    level: 'should',
    requirement:
      'With KEEP_CONN the server skips a request body that the app has not read, and handles the next request.',
    async run(server) {
      const connection = await server.connect()
      const body = 'x'.repeat(MEGABYTE)
      connection.write(server.beginAndParams(1, '/bytes/10', { body, keepConn: true }))
      await connection.writeAndFlush(stream(TYPES.STDIN, 1, body), record(TYPES.STDIN, 1))
      await connection.expectOk(1, '0123456789')
      connection.clear().write(server.request(1, '/body', { body: 'next' }))
      await connection.expectOk(1, 'next')
    },
  },
  {
    id: 'closing/gone',
    section: '3.5',
    level: 'should',
    requirement:
      'A front server that closes the connection in the middle of a request or a response does not affect other connections.',
    async run(server) {
      for (let i = 0; i < 20; i++) {
        const [inBody, inResponse] = [await server.connect(), await server.connect()]
        await inBody.writeAndFlush(server.beginAndParams(1, '/body', { body: 'never sent' }))
        inBody.destroy()
        await inResponse.writeAndFlush(server.request(1, '/bytes/1000000'))
        inResponse.destroy()
      }
      await server.probe()
    },
  },
]
