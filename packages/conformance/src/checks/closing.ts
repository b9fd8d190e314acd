import type { Check } from '../check.ts'
import { record, stream, TYPES } from '../wire/bytes.ts'

const MEGABYTE = 1024 * 1024

/** Sections 3.5 and 5.1: who closes the connection, and when. */
export const CLOSING: readonly Check[] = [
  {
    id: 'closing/closes',
    section: '5.1',
    level: 'must',
    requirement: 'Without KEEP_CONN it closes the connection behind the answer.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10'))
      await connection.served(1)
      await connection.closed()
      connection.expectNoReset()
    },
  },
  {
    id: 'closing/keeps',
    section: '5.1',
    level: 'must',
    requirement: 'With KEEP_CONN it leaves the connection open: 20 requests follow each other on it.',
    async run(server) {
      const connection = await server.connect()
      for (let i = 0; i < 20; i++) {
        connection.forget().write(server.request(1, '/body', { body: `body ${i}`, keepConn: true }))
        await connection.served(1, `body ${i}`)
      }
    },
  },
  {
    id: 'closing/changes-its-mind',
    section: '5.1',
    level: 'must',
    requirement:
      'KEEP_CONN is asked anew by each request: the first without it is the last of its connection.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10', { keepConn: true }))
      await connection.served(1)
      connection.forget().write(server.request(2, '/bytes/10'))
      await connection.served(2)
      await connection.closed()
    },
  },
  {
    id: 'closing/half-closed',
    section: '5.1',
    level: 'should',
    requirement: 'A front server that half-closes behind its request gets the whole answer.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/slow/300')).halfClose()
      await connection.served(1, 'slow')
    },
  },
  {
    id: 'closing/unread-body',
    section: '5.1',
    level: 'should',
    requirement:
      'An answer that is given without reading the body arrives whole while the body is sent: no reset cuts it off.',
    async run(server) {
      const connection = await server.connect()
      const body = 'x'.repeat(3 * MEGABYTE)
      connection.pause()
      connection.write(server.head(1, '/bytes/100000', { body }))
      await connection.writeWhole(stream(TYPES.STDIN, 1, body))
      await connection.writeWhole(record(TYPES.STDIN, 1))
      connection.resume()
      await connection.served(1, '0123456789'.repeat(10_000))
      await connection.closed()
      connection.expectNoReset()
    },
  },
  {
    id: 'closing/unread-body-kept',
    section: '5.1',
    level: 'should',
    requirement: 'With KEEP_CONN the rest of such a body is passed over, and the next request served.',
    async run(server) {
      const connection = await server.connect()
      const body = 'x'.repeat(MEGABYTE)
      connection.write(server.head(1, '/bytes/10', { body, keepConn: true }))
      await connection.writeWhole(stream(TYPES.STDIN, 1, body), record(TYPES.STDIN, 1))
      await connection.served(1, '0123456789')
      connection.forget().write(server.request(1, '/body', { body: 'next' }))
      await connection.served(1, 'next')
    },
  },
  {
    id: 'closing/gone',
    section: '3.5',
    level: 'should',
    requirement: 'Front servers that go away inside of a request, or of its answer, harm nobody else.',
    async run(server) {
      for (let i = 0; i < 20; i++) {
        const [inBody, inAnswer] = [await server.connect(), await server.connect()]
        await inBody.writeWhole(server.head(1, '/body', { body: 'never sent' }))
        inBody.destroy()
        await inAnswer.writeWhole(server.request(1, '/bytes/1000000'))
        inAnswer.destroy()
      }
      await server.probe()
    },
  },
]
