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
    requirement: 'STDOUT ends with one empty record, and nothing of it comes behind.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/100000'))
      await connection.served(1)
      expectEnd(connection, TYPES.STDOUT, 'STDOUT')
    },
  },
  {
    id: 'streams/stdout-end-of-nothing',
    section: '6.1',
    level: 'must',
    requirement: 'So it does where the answer has no body.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/status/204'))
      const { status, body } = await connection.answer(1)
      if (status !== 204 || body !== '') throw connection.unmet('a 204 without a body', `${status}, ${body}`)
      expectEnd(connection, TYPES.STDOUT, 'STDOUT')
    },
  },
  {
    id: 'streams/no-errors',
    section: '6.1',
    level: 'must',
    requirement: 'Without errors there is no STDERR record, or an empty one.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10'))
      await connection.served(1)
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
    requirement: 'What the app writes as errors comes on STDERR, in order, and STDOUT beside it is whole.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/stderr'))
      const numbers = Array.from({ length: LINES }, (_, i) => i)
      const { stderr } = await connection.served(1, numbers.map((i) => `out ${i}\n`).join(''))
      const seen = [...stderr.matchAll(/err (\d+)/g)].map(([, number]) => Number(number))
      if (seen.join() !== numbers.join()) {
        throw connection.unmet(
          '`err 0` to `err 99` on STDERR',
          `${seen.length} of them, ${stderr.length} bytes`,
        )
      }
    },
  },
  {
    id: 'streams/behind-the-end',
    section: '3.3',
    level: 'should',
    requirement: 'PARAMS and STDIN behind the ends of these streams are ignored.',
    async run(server) {
      const connection = await server.connect()
      const late = bytes(record(TYPES.PARAMS, 1, pair('REQUEST_METHOD', 'DELETE')), record(TYPES.PARAMS, 1))
      connection.write(server.head(1, '/body', { body: BODY }), record(TYPES.PARAMS, 1), late)
      connection.write(record(TYPES.STDIN, 1, BODY), record(TYPES.STDIN, 1), record(TYPES.STDIN, 1, 'more'))
      await connection.served(1, BODY)
    },
  },
  {
    id: 'streams/stdin-before-params',
    section: '3.3',
    level: 'should',
    requirement: 'STDIN that comes before the end of PARAMS is kept for the app, or the request refused.',
    async run(server) {
      const connection = await server.connect()
      const head = server.head(1, '/body', { body: BODY })
      connection.write(head.subarray(0, -8), record(TYPES.STDIN, 1, BODY.slice(0, 9)), head.subarray(-8))
      connection.write(record(TYPES.STDIN, 1, BODY.slice(9)), record(TYPES.STDIN, 1))
      const answer = await connection.answer(1).catch((error) => {
        if (!connection.ended) throw error
      })
      if (answer?.status === 200 && answer.body !== BODY) {
        throw connection.unmet('the whole body, or a refusal', JSON.stringify(answer.body))
      }
    },
  },
  {
    id: 'streams/slow-reader',
    section: '3.3',
    level: 'should',
    requirement: 'A front server that begins late to read gets all of a long answer.',
    async run(server) {
      const connection = await server.connect()
      connection.pause()
      await connection.writeApart(server.request(1, '/bytes/5000000'), '', '')
      connection.resume()
      await connection.served(1, '0123456789'.repeat(500_000))
    },
  },
]

/** The stream has one empty record, the last of its records. */
function expectEnd(connection: Connection, type: number, name: string): void {
  const records = connection.recordsOf(type, 1)
  const end = records.findIndex(({ content }) => content.length === 0)
  if (end < 0 || end !== records.length - 1) {
    throw connection.unmet(`one empty ${name} record, the last of the stream`)
  }
}
