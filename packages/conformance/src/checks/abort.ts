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
    requirement: 'ABORT_REQUEST before the end of PARAMS is answered with END_REQUEST.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/body').subarray(0, -8), ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/at-once',
    section: '5.4',
    level: 'must',
    requirement: 'So it is right behind BEGIN_REQUEST.',
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
    requirement: 'So it is while the app waits for the body.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/body', { body: 'never whole' }), record(TYPES.STDIN, 1, 'never'))
      await connection.writeApart('', ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/at-work',
    section: '5.4',
    level: 'should',
    requirement: 'So it is while the app works, as soon as it can: not when the work is done.',
    async run(server) {
      const connection = await server.connect()
      const work = 2500
      connection.write(server.request(1, `/slow/${work}`))
      await connection.writeApart('', ABORT)
      const begun = performance.now()
      const { body } = await connection.answer(1)
      if (body === 'slow' || performance.now() - begun > work) {
        throw connection.unmet('END_REQUEST before the work is done', 'it when the work was done')
      }
    },
  },
  {
    id: 'abort/in-answer',
    section: '5.4',
    level: 'must',
    requirement: 'So it is inside of an answer, behind what is out already.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/echo', { body: 'never whole', method: 'PUT' }))
      connection.write(record(TYPES.STDIN, 1, 'never'))
      await connection.until(() => connection.text(TYPES.STDOUT, 1).includes('begun\n'), '`begun` on STDOUT')
      connection.write(ABORT)
      await expectOneEnd(connection)
    },
  },
  {
    id: 'abort/kept',
    section: '5.1, 5.4',
    level: 'must',
    requirement: 'With KEEP_CONN the next request is served on the same connection.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/body', { body: 'never whole', keepConn: true }), ABORT)
      await connection.answer(1)
      connection.forget().write(server.request(1, '/body', { body: 'next' }))
      await connection.served(1, 'next')
    },
  },
  {
    id: 'abort/tolerated',
    section: '3.3, 5.4',
    level: 'should',
    requirement: 'ABORT_REQUEST twice, with a content, and for a request that has ended, harms nothing.',
    async run(server) {
      const connection = await server.connect()
      const content = record(TYPES.ABORT_REQUEST, 1, 'with a content')
      connection.write(
        server.head(1, '/body', { body: 'never whole', keepConn: true }),
        content,
        ABORT,
        ABORT,
      )
      await connection.answer(1)
      connection.forget().write(ABORT, content, server.request(1, '/body', { body: 'next' }))
      await connection.served(1, 'next')
    },
  },
]

async function expectOneEnd(connection: Connection): Promise<void> {
  await connection.answer(1)
  await connection.closed('the end of the connection, since there is no KEEP_CONN')
  if (connection.recordsOf(TYPES.END_REQUEST, 1).length !== 1) throw connection.unmet('one END_REQUEST')
}
