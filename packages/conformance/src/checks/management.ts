import type { Check } from '../check.ts'
import { readValues } from '../server.ts'
import { bytes, pair, pairs, record, TYPES } from '../wire/bytes.ts'
import type { Connection } from '../wire/connection.ts'

const NAMES = ['FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS'] as const
const ASK_ALL = record(TYPES.GET_VALUES, 0, pairs(NAMES.map((name) => [name, ''])))
const BODY = 'The body of the request.'

/** Section 4: management records. */
export const MANAGEMENT: readonly Check[] = [
  {
    id: 'management/values',
    section: '4.1',
    level: 'must',
    requirement:
      'The server responds to GET_VALUES with one GET_VALUES_RESULT: FCGI_MAX_CONNS and FCGI_MAX_REQS are decimal numbers, FCGI_MPXS_CONNS is 0 or 1.',
    async run(server) {
      const connection = await server.connect()
      connection.write(ASK_ALL)
      const values = await readValues(connection)
      const odd = Object.entries(values).filter(
        ([name, value]) =>
          !(NAMES as readonly string[]).includes(name) ||
          !(name === 'FCGI_MPXS_CONNS' ? /^[01]$/ : /^\d+$/).test(value),
      )
      if (odd.length > 0 || values.FCGI_MPXS_CONNS === undefined) {
        throw connection.unmet('numbers for the names in GET_VALUES', JSON.stringify(values))
      }
    },
  },
  {
    id: 'management/subset',
    section: '4.1',
    level: 'must',
    requirement: 'The response to GET_VALUES for one name has no other name.',
    async run(server) {
      const connection = await server.connect()
      connection.write(record(TYPES.GET_VALUES, 0, pair('FCGI_MPXS_CONNS', '')))
      await expectOnlyMpxsConns(connection)
    },
  },
  {
    id: 'management/unknown-names',
    section: '4.1',
    level: 'must',
    requirement: 'The server leaves unknown names out of the result.',
    async run(server) {
      const connection = await server.connect()
      const names = ['FCGI_MAX_FISH', 'FCGI_MPXS_CONNS', 'toString', '__proto__', '']
      connection.write(record(TYPES.GET_VALUES, 0, pairs(names.map((name) => [name, '']))))
      await expectOnlyMpxsConns(connection)
    },
  },
  {
    id: 'management/nothing-asked',
    section: '4.1',
    level: 'should',
    requirement: 'The server responds to GET_VALUES without a name with an empty result.',
    async run(server) {
      const connection = await server.connect()
      connection.write(record(TYPES.GET_VALUES, 0))
      const values = await readValues(connection)
      if (Object.keys(values).length > 0) throw connection.unmet('an empty result', JSON.stringify(values))
    },
  },
  {
    id: 'management/repeated-name',
    section: '4.1',
    level: 'should',
    requirement:
      'The server responds to GET_VALUES with the same name 1000 times with one result, which is not longer than the GET_VALUES record.',
    async run(server) {
      const connection = await server.connect()
      const question = Buffer.concat(Array.from({ length: 1000 }, () => pair('FCGI_MPXS_CONNS', '0')))
      connection.write(record(TYPES.GET_VALUES, 0, question), server.request(1, '/bytes/10'))
      await connection.until(
        () => connection.ended || connection.recordsOf(TYPES.END_REQUEST, 1).length > 0,
        'a result, and a response to the request after it',
      )
      await readValues(connection)
      const results = connection.recordsOf(TYPES.GET_VALUES_RESULT, 0)
      const size = results.reduce((sum, { content }) => sum + content.length, 0)
      if (results.length > 1 || size > question.length) {
        throw connection.unmet(
          'one result, not longer than the GET_VALUES record',
          `${results.length} results, ${size} bytes`,
        )
      }
    },
  },
  {
    id: 'management/then-request',
    section: '4',
    level: 'must',
    requirement: 'The connection stays open after GET_VALUES, and the server handles a request on it.',
    async run(server) {
      const connection = await server.connect()
      connection.write(ASK_ALL)
      await readValues(connection)
      connection.write(server.request(1, '/bytes/10'))
      await connection.expectOk(1, '0123456789')
    },
  },
  {
    id: 'management/inside-request',
    section: '4',
    level: 'must',
    requirement:
      'The server responds at once to GET_VALUES between the records of a request, and handles the request.',
    async run(server) {
      const connection = await server.connect()
      const head = server.beginAndParams(1, '/body', { body: BODY })
      connection.write(head.subarray(0, -8), ASK_ALL)
      await readValues(connection)
      connection.clear().write(head.subarray(-8), record(TYPES.STDIN, 1, BODY.slice(0, 8)), ASK_ALL)
      await readValues(connection)
      connection.write(record(TYPES.STDIN, 1, BODY.slice(8)), record(TYPES.STDIN, 1))
      await connection.expectOk(1, BODY)
    },
  },
  {
    id: 'management/half-closed',
    section: '4.1',
    level: 'should',
    requirement:
      'The server responds to GET_VALUES from a peer that then half-closes the connection, as a health check does.',
    async run(server) {
      const connection = await server.connect()
      connection.write(ASK_ALL).halfClose()
      await readValues(connection)
      await connection.expectClosed()
      connection.expectNoReset()
    },
  },
  {
    id: 'management/unknown-type',
    section: '4.2',
    level: 'must',
    requirement:
      'The server responds to a management record of an unknown type with UNKNOWN_TYPE, which contains the type.',
    async run(server) {
      for (const type of [12, 99, 255]) {
        const connection = await server.connect()
        connection.write(record(type, 0, 'content'))
        await expectUnknownType(connection, type)
        connection.destroy()
      }
    },
  },
  {
    id: 'management/unknown-type-skipped',
    section: '4.2',
    level: 'must',
    requirement:
      'The server skips the content of a record of an unknown type, even if the content looks like records, and handles the request after it.',
    async run(server) {
      const connection = await server.connect()
      const disguised = server.request(9, '/bytes/10')
      connection.write(record(99, 0, disguised, { padding: new Uint8Array(3) }))
      connection.write(server.request(1, '/bytes/10'))
      await connection.expectOk(1, '0123456789')
      if (connection.records.some(({ id }) => id === 9)) throw connection.unmet('nothing for request 9')
    },
  },
  {
    id: 'management/request-types',
    section: '3.3',
    level: 'should',
    requirement:
      'Records with id 0 of a type that belongs to requests, or that only applications send, have no effect.',
    async run(server) {
      for (const type of [2, 3, 4, 5, 6, 7, 8, 10, 11]) {
        const connection = await server.connect()
        connection.write(record(type, 0, 'content'), record(type, 0), server.request(1, '/bytes/10'))
        await connection.expectOk(1, '0123456789')
        connection.destroy()
      }
    },
  },
  {
    id: 'management/types-inside-request',
    section: '3.3, 4.2',
    level: 'should',
    requirement:
      'Records for a request of an unknown type, or of a type that only applications send, do not change the request.',
    async run(server) {
      for (const type of [3, 6, 7, 10, 11, 12, 255]) {
        const connection = await server.connect()
        const stray = bytes(record(type, 1, 'content'), record(type, 1))
        connection.write(server.beginAndParams(1, '/body', { body: BODY }), stray)
        connection.write(record(TYPES.STDIN, 1, BODY), stray, record(TYPES.STDIN, 1))
        await connection.expectOk(1, BODY)
        connection.destroy()
      }
    },
  },
]

async function expectOnlyMpxsConns(connection: Connection): Promise<void> {
  const values = await readValues(connection)
  if (Object.keys(values).join() !== 'FCGI_MPXS_CONNS') {
    throw connection.unmet('FCGI_MPXS_CONNS only', JSON.stringify(values))
  }
}

async function expectUnknownType(connection: Connection, type: number): Promise<void> {
  const expected = `UNKNOWN_TYPE for type ${type}`
  const { content } = await connection.until(() => connection.recordsOf(TYPES.UNKNOWN_TYPE, 0)[0], expected)
  const body = bytes([type, 0, 0, 0, 0, 0, 0, 0])
  if (!content.equals(body)) {
    throw connection.unmet(`${body.toString('hex')} in UNKNOWN_TYPE`, content.toString('hex'))
  }
}
