import type { Check } from '../check.ts'
import { begin, record, TYPES } from '../wire/bytes.ts'
import type { Connection } from '../wire/connection.ts'

const ABORT = record(TYPES.ABORT_REQUEST, 1)

/** Section 5.4: ABORT_REQUEST. */
export const ABORT_CHECKS: readonly Check[] = [
  {
    id: 'abort/in-params',
    section: '5.4',
    level: 'must',
    requirement: 'The server responds with END_REQUEST to an ABORT_REQUEST before the end of PARAMS.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/body').subarray(0, -8), ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/at-once',
    section: '5.4',
    level: 'must',
    requirement: 'The server responds with END_REQUEST to an ABORT_REQUEST directly after BEGIN_REQUEST.',
    async run(server) {
      const connection = await server.connect()
      connection.write(begin(1), ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/in-stdin',
    section: '5.4',
    level: 'must',
    requirement:
      'The server responds to ABORT_REQUEST with END_REQUEST while the app waits for the request body.',
    async run(server) {
      const connection = await server.connect()
      connection.write(
        server.beginAndParams(1, '/body', { body: 'incomplete' }),
        record(TYPES.STDIN, 1, 'incom'),
      )
      await connection.writeSeparately('', ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/at-work',
    section: '5.4',
    level: 'should',
    requirement:
      'The server responds to ABORT_REQUEST with END_REQUEST while the app is working, before the app has finished.',
    async run(server) {
      const connection = await server.connect()
      const work = 2500
      connection.write(server.request(1, `/slow/${work}`))
      await connection.writeSeparately('', ABORT)
      const begun = performance.now()
      const { body } = await connection.response(1)
      if (body === 'slow' || performance.now() - begun > work) {
        throw connection.unmet(
          'END_REQUEST before the app has finished',
          'END_REQUEST after the app had finished',
        )
      }
    },
  },
  {
    id: 'abort/in-answer',
    section: '5.4',
    level: 'must',
    requirement: 'The server responds to ABORT_REQUEST with END_REQUEST in the middle of a response.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/echo', { body: 'incomplete', method: 'PUT' }))
      connection.write(record(TYPES.STDIN, 1, 'incom'))
      await connection.until(() => connection.text(TYPES.STDOUT, 1).includes('begun\n'), '`begun` on STDOUT')
      connection.write(ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/kept',
    section: '5.1, 5.4',
    level: 'must',
    requirement: 'With KEEP_CONN the server handles another request on the same connection after an abort.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/body', { body: 'incomplete', keepConn: true }), ABORT)
      await connection.response(1)
      connection.clear().write(server.request(1, '/body', { body: 'next' }))
      await connection.expectOk(1, 'next')
    },
  },
  {
    id: 'abort/tolerated',
    section: '3.3, 5.4',
    level: 'should',
    requirement:
      'A repeated ABORT_REQUEST, one with content, and one for a request that has ended have no effect on the connection.',
    async run(server) {
      const connection = await server.connect()
      const content = record(TYPES.ABORT_REQUEST, 1, 'with content')
      connection.write(
        server.beginAndParams(1, '/body', { body: 'incomplete', keepConn: true }),
        content,
        ABORT,
        ABORT,
      )
      await connection.response(1)
      connection.clear().write(ABORT, content, server.request(1, '/body', { body: 'next' }))
      await connection.expectOk(1, 'next')
    },
  },
]

async function expectOneEnd(connection: Connection): Promise<void> {
  await connection.response(1)
  await connection.expectClosed('the end of the connection, because KEEP_CONN is not set')
  if (connection.recordsOf(TYPES.END_REQUEST, 1).length !== 1) throw connection.unmet('one END_REQUEST')
}
