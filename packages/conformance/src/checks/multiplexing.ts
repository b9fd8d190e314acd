import type { Check } from '../check.ts'
import { NotApplicable } from '../verdict.ts'
import { record, STATUSES, stream, TYPES } from '../wire/bytes.ts'

const BODIES = { 1: 'the body of one', 2: 'the body of two, which is longer' } as const

/** Sections 3.2 and 3.3, and Appendix B example 4: concurrent requests on one connection. */
export const MULTIPLEXING: readonly Check[] = [
  {
    id: 'multiplexing/refused',
    section: '5.5',
    level: 'must',
    requirement:
      'A server with FCGI_MPXS_CONNS=0 rejects a second concurrent request with CANT_MPX_CONN, and handles the first.',
    async run(server) {
      if (server.values.FCGI_MPXS_CONNS !== '0') {
        throw new NotApplicable('the server does not report FCGI_MPXS_CONNS=0')
      }
      const connection = await server.connect()
      const body = BODIES[1]
      connection.write(server.beginAndParams(1, '/body', { body, keepConn: true }))
      connection.write(server.request(2, '/bytes/10', { keepConn: true }))
      connection.write(record(TYPES.STDIN, 1, body), record(TYPES.STDIN, 1))
      await connection.expectOk(1, body)
      const { protocolStatus } = await connection.response(2)
      if (protocolStatus !== STATUSES.CANT_MPX_CONN) throw connection.unmet('CANT_MPX_CONN for request 2')
    },
  },
  {
    id: 'multiplexing/interleaved',
    section: '3.3',
    level: 'must',
    requirement: 'Two requests whose records alternate each get a response to their own params and body.',
    async run(server) {
      server.requireMultiplexing()
      const connection = await server.connect()
      const options = { keepConn: true }
      connection.write(server.beginAndParams(1, '/body', { ...options, body: BODIES[1] }))
      connection.write(server.beginAndParams(2, '/body', { ...options, body: BODIES[2] }))
      for (let at = 0; at < BODIES[2].length; at += 4) {
        connection.write(stream(TYPES.STDIN, 1, BODIES[1].slice(at, at + 4)))
        connection.write(stream(TYPES.STDIN, 2, BODIES[2].slice(at, at + 4)))
      }
      connection.write(record(TYPES.STDIN, 1), record(TYPES.STDIN, 2))
      await connection.expectOk(1, BODIES[1])
      await connection.expectOk(2, BODIES[2])
    },
  },
  {
    id: 'multiplexing/out-of-order',
    section: 'Appendix B example 4',
    level: 'must',
    requirement: 'A request that waits for its body does not delay a later request.',
    async run(server) {
      server.requireMultiplexing()
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/body', { body: BODIES[1], keepConn: true }))
      connection.write(server.request(2, '/bytes/10', { keepConn: true }))
      await connection.expectOk(2, '0123456789')
      connection.write(record(TYPES.STDIN, 1, BODIES[1]), record(TYPES.STDIN, 1))
      await connection.expectOk(1, BODIES[1])
    },
  },
  {
    id: 'multiplexing/many',
    section: '3.3',
    level: 'must',
    requirement: 'The server handles 20 requests in one write, with ids up to 65535.',
    async run(server) {
      server.requireMultiplexing()
      const connection = await server.connect()
      const ids = Array.from({ length: 20 }, (_, i) => (i === 19 ? 65_535 : 1 + i * 100))
      const requests = ids.map((id) => server.request(id, '/body', { body: `body ${id}`, keepConn: true }))
      connection.write(...requests)
      for (const id of ids) await connection.expectOk(id, `body ${id}`)
    },
  },
  {
    id: 'multiplexing/unread-body',
    section: '3.3',
    level: 'should',
    requirement: 'A request body of 64 KiB that the app does not read yet does not delay other requests.',
    async run(server) {
      server.requireMultiplexing()
      const connection = await server.connect()
      const body = 'x'.repeat(65_536)
      // This route does not read the body before it responds.
      connection.write(server.beginAndParams(1, '/slow/3000', { body, keepConn: true }))
      connection.write(stream(TYPES.STDIN, 1, body), server.request(2, '/bytes/10', { keepConn: true }))
      await connection.expectOk(2, '0123456789')
      if (connection.recordsOf(TYPES.END_REQUEST, 1).length > 0) {
        throw connection.unmet('a response to request 2 before the response to request 1')
      }
    },
  },
  {
    id: 'multiplexing/abort-one',
    section: '5.4',
    level: 'must',
    requirement: 'ABORT_REQUEST for one of two requests does not affect the other.',
    async run(server) {
      server.requireMultiplexing()
      const connection = await server.connect()
      for (const id of [1, 2] as const) {
        connection.write(server.beginAndParams(id, '/body', { body: BODIES[id], keepConn: true }))
      }
      connection.write(record(TYPES.ABORT_REQUEST, 1))
      await connection.response(1)
      connection.write(record(TYPES.STDIN, 2, BODIES[2]), record(TYPES.STDIN, 2))
      await connection.expectOk(2, BODIES[2])
    },
  },
  {
    id: 'multiplexing/last-without-keep-conn',
    section: '5.1',
    level: 'should',
    requirement:
      'After a request without KEEP_CONN, the server closes the connection only when all other requests on it have ended.',
    async run(server) {
      server.requireMultiplexing()
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/body', { body: BODIES[1], keepConn: true }))
      connection.write(server.request(2, '/bytes/10'))
      await connection.expectOk(2, '0123456789')
      connection.write(record(TYPES.STDIN, 1, BODIES[1]), record(TYPES.STDIN, 1))
      await connection.expectOk(1, BODIES[1])
      await connection.expectClosed()
    },
  },
]
