import type { Check } from '../check.ts'
import { bytes, pair, record, TYPES } from '../wire/bytes.ts'
import type { Connection } from '../wire/connection.ts'

const BODY = 'The body of the request.'
const LINES = 100

/** Sections 5.2, 5.3 and 6.1: the streams of a request. */
export const STREAMS: readonly Check[] = [
  {
    id: 'streams/stdout-end',
    section: '6.1',
    level: 'must',
    requirement: 'STDOUT ends with one empty record, and no STDOUT record follows it.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/100000'))
      await connection.expectOk(1)
      expectEnd(connection, TYPES.STDOUT, 'STDOUT')
    },
  },
  {
    id: 'streams/stdout-end-of-nothing',
    section: '6.1',
    level: 'must',
    requirement: 'STDOUT of a response without a body ends with one empty record.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/status/204'))
      const { status, body } = await connection.response(1)
      if (status !== 204 || body !== '') throw connection.unmet('a 204 without a body', `${status}, ${body}`)
      expectEnd(connection, TYPES.STDOUT, 'STDOUT')
    },
  },
  {
    id: 'streams/no-errors',
    section: '6.1',
    level: 'must',
    requirement: 'If the app writes no errors, there is no STDERR record, or one empty one.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10'))
      await connection.expectOk(1)
      const stderr = connection.recordsOf(TYPES.STDERR, 1)
      if (stderr.length > 1 || stderr.some(({ content }) => content.length > 0)) {
        throw connection.unmet('no STDERR record, or an empty one')
      }
    },
  },
  {
    id: 'streams/stderr',
    section: '6.1',
    level: 'must',
    requirement: 'The errors that the app writes arrive on STDERR in order, and STDOUT is complete.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/stderr'))
      const numbers = Array.from({ length: LINES }, (_, i) => i)
      const { stderr } = await connection.expectOk(1, numbers.map((i) => `out ${i}\n`).join(''))
      const received = [...stderr.matchAll(/err (\d+)/g)].map(([, number]) => Number(number))
      if (received.join() !== numbers.join()) {
        throw connection.unmet(
          '`err 0` to `err 99` on STDERR',
          `${received.length} of them, ${stderr.length} bytes`,
        )
      }
    },
  },
  {
    id: 'streams/behind-the-end',
    section: '3.3',
    level: 'should',
    requirement: 'The server ignores PARAMS and STDIN records after the end of these streams.',
    async run(server) {
      const connection = await server.connect()
      const late = bytes(record(TYPES.PARAMS, 1, pair('REQUEST_METHOD', 'DELETE')), record(TYPES.PARAMS, 1))
      connection.write(server.beginAndParams(1, '/body', { body: BODY }), record(TYPES.PARAMS, 1), late)
      connection.write(record(TYPES.STDIN, 1, BODY), record(TYPES.STDIN, 1), record(TYPES.STDIN, 1, 'more'))
      await connection.expectOk(1, BODY)
    },
  },
  {
    id: 'streams/stdin-before-params',
    section: '3.3',
    level: 'should',
    requirement:
      'The server keeps STDIN that arrives before the end of PARAMS for the app, or rejects the request.',
    async run(server) {
      const connection = await server.connect()
      const head = server.beginAndParams(1, '/body', { body: BODY })
      connection.write(head.subarray(0, -8), record(TYPES.STDIN, 1, BODY.slice(0, 9)), head.subarray(-8))
      connection.write(record(TYPES.STDIN, 1, BODY.slice(9)), record(TYPES.STDIN, 1))
      const response = await connection.response(1).catch((error) => {
        if (!connection.ended) throw error
      })
      if (response?.status === 200 && response.body !== BODY) {
        throw connection.unmet('the whole body, or an error', JSON.stringify(response.body))
      }
    },
  },
  {
    id: 'streams/slow-reader',
    section: '3.3',
    level: 'should',
    requirement: 'A front server that begins to read late gets the whole of a long response.',
    async run(server) {
      const connection = await server.connect()
      connection.pause()
      await connection.writeSeparately(server.request(1, '/bytes/5000000'), '', '')
      connection.resume()
      await connection.expectOk(1, '0123456789'.repeat(500_000))
    },
  },
]

/** Throws unless the stream has exactly one empty record, which is the last one. */
function expectEnd(connection: Connection, type: number, name: string): void {
  const records = connection.recordsOf(type, 1)
  const end = records.findIndex(({ content }) => content.length === 0)
  if (end < 0 || end !== records.length - 1) {
    throw connection.unmet(`one empty ${name} record at the end of the stream`)
  }
}
