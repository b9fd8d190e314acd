import type { Check } from '../check.ts'
import { record, TYPES } from '../wire/bytes.ts'

/** A server that sends nothing for this long is considered silent, in milliseconds. */
const SILENCE = 1000

const INACTIVE = [TYPES.PARAMS, TYPES.STDIN, TYPES.DATA, TYPES.ABORT_REQUEST] as const

/** Section 3.3: request ids. */
export const REQUEST_IDS: readonly Check[] = [
  {
    id: 'ids/inactive-ignored',
    section: '3.3',
    level: 'must',
    requirement: 'The server ignores PARAMS, STDIN, DATA and ABORT_REQUEST for an id that is not active.',
    async run(server) {
      for (const type of INACTIVE) {
        const connection = await server.connect()
        connection.write(record(type, 7, 'content'), record(type, 7), record(type, 1, 'content'))
        connection.write(server.request(1, '/bytes/10'))
        await connection.expectOk(1, '0123456789')
        if (connection.records.some(({ id }) => id === 7)) throw connection.unmet('nothing for request 7')
        connection.destroy()
      }
    },
  },
  {
    id: 'ids/any',
    section: '3.3',
    level: 'must',
    requirement: 'The server handles requests with the ids 1, 255, 256 and 65535.',
    async run(server) {
      for (const id of [1, 255, 256, 65_535]) {
        const connection = await server.connect()
        connection.write(server.request(id, '/bytes/10'))
        await connection.expectOk(id, '0123456789')
        connection.destroy()
      }
    },
  },
  {
    id: 'ids/zero',
    section: '3.3',
    level: 'must',
    requirement:
      'BEGIN_REQUEST with id 0, which is reserved for management records, does not begin a request.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(0, '/bytes/10', { keepConn: true }))
      // The server may ignore the record and send nothing.
      await connection.waitForEnd(SILENCE)
      if ([TYPES.STDOUT, TYPES.END_REQUEST].some((type) => connection.recordsOf(type, 0).length > 0)) {
        throw connection.unmet('no STDOUT and no END_REQUEST with id 0')
      }
    },
  },
  {
    id: 'ids/active-begin',
    section: '3.3',
    level: 'should',
    requirement: 'A second BEGIN_REQUEST for an active id does not change the running request.',
    async run(server) {
      const connection = await server.connect()
      const body = 'first'
      connection.write(server.beginAndParams(1, '/body', { body, keepConn: true }))
      connection.write(server.request(1, '/bytes/10', { keepConn: true }))
      connection.write(record(TYPES.STDIN, 1, body), record(TYPES.STDIN, 1))
      await connection.until(
        () => connection.ended || connection.recordsOf(TYPES.END_REQUEST, 1).length > 0,
        'a response to the first request, or the end of the connection',
      )
      if (connection.text(TYPES.STDOUT, 1).endsWith('0123456789')) {
        throw connection.unmet('no response to the second request in place of the first')
      }
    },
  },
  {
    id: 'ids/reuse',
    section: '3.3',
    level: 'must',
    requirement: 'A reused id begins a new request, which has no params or body of the previous one.',
    async run(server) {
      const connection = await server.connect()
      const params = { CONFORMANCE_FIRST: 'left over' }
      connection.write(server.request(1, '/body', { body: 'first', params, keepConn: true }))
      await connection.expectOk(1, 'first')
      connection.clear().write(server.request(1, '/params', { keepConn: true }))
      const { body } = await connection.expectOk(1)
      if (body.includes(Buffer.from('CONFORMANCE_FIRST').toString('hex'))) {
        throw connection.unmet('no params of the previous request', body)
      }
      connection.clear().write(server.request(1, '/body', { body: 'third' }))
      await connection.expectOk(1, 'third')
    },
  },
]
