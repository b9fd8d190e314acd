import type { Check } from '../check.ts'
import { CONTENT_MAX, record, stream, TYPES } from '../wire/bytes.ts'

const BODY = 'The quick brown fox jumps over the lazy dog.'
const PADDED = { padding: new Uint8Array(7).fill(0xaa) }

/** Section 3.3: how a stream of bytes is divided into records. */
export const RECORDS: readonly Check[] = [
  {
    id: 'records/byte-by-byte',
    section: '3.3',
    level: 'must',
    requirement: 'The server decodes a request whose bytes arrive one at a time.',
    async run(server) {
      const connection = await server.connect()
      await connection.writeByteByByte(server.request(1, '/body', { body: BODY }))
      await connection.expectOk(1, BODY)
    },
  },
  {
    id: 'records/cut-anywhere',
    section: '3.3',
    level: 'must',
    requirement:
      'The server decodes a request that arrives in two parts, wherever it is split: inside each header, and between records.',
    async run(server) {
      const request = server.request(1, '/body', { body: BODY })
      for (const at of cuts(request)) {
        const connection = await server.connect()
        await connection.writeSeparately(request.subarray(0, at), request.subarray(at))
        await connection.expectOk(1, BODY)
        connection.destroy()
      }
    },
  },
  {
    id: 'records/longest',
    section: '3.3',
    level: 'must',
    requirement: 'The server decodes a record of 65535 bytes with 255 bytes of padding.',
    async run(server) {
      const body = 'x'.repeat(CONTENT_MAX)
      const connection = await server.connect()
      connection.write(
        server.beginAndParams(1, '/body', { body }),
        record(TYPES.STDIN, 1, body, { padding: new Uint8Array(255) }),
        record(TYPES.STDIN, 1),
      )
      await connection.expectOk(1, body)
    },
  },
  {
    id: 'records/padding',
    section: '3.3',
    level: 'must',
    requirement: 'The server ignores padding of any content.',
    async run(server) {
      const connection = await server.connect()
      const [begin, params] = splitHead(server.beginAndParams(1, '/body', { body: BODY }))
      connection.write(begin, record(TYPES.PARAMS, 1, params, PADDED), record(TYPES.PARAMS, 1))
      connection.write(record(TYPES.STDIN, 1, BODY, PADDED), record(TYPES.STDIN, 1))
      await connection.expectOk(1, BODY)
    },
  },
  {
    id: 'records/padding-of-nothing',
    section: '3.3',
    level: 'must',
    requirement: 'The server ignores padding in the empty records that end streams.',
    async run(server) {
      const connection = await server.connect()
      const [begin, params] = splitHead(server.beginAndParams(1, '/body', { body: BODY }))
      connection.write(begin, record(TYPES.PARAMS, 1, params), record(TYPES.PARAMS, 1, '', PADDED))
      connection.write(record(TYPES.STDIN, 1, BODY), record(TYPES.STDIN, 1, '', PADDED))
      await connection.expectOk(1, BODY)
    },
  },
  {
    id: 'records/reserved-ignored',
    section: '3.3, 5.1',
    level: 'should',
    requirement: 'The server ignores reserved bytes and unknown flags.',
    async run(server) {
      const connection = await server.connect()
      const [, params] = splitHead(server.beginAndParams(1, '/body', { body: BODY }))
      const reserved = { reserved: 0xff }
      connection.write(
        record(TYPES.BEGIN_REQUEST, 1, [0, 1, 0xfe, 1, 2, 3, 4, 5], reserved),
        record(TYPES.PARAMS, 1, params, reserved),
        record(TYPES.PARAMS, 1, '', reserved),
        record(TYPES.STDIN, 1, BODY, reserved),
        record(TYPES.STDIN, 1, '', reserved),
      )
      await connection.expectOk(1, BODY)
    },
  },
  {
    id: 'records/version',
    section: '3.3',
    level: 'should',
    requirement: 'The server closes the connection, without a response, on a record of version 0, 2 or 255.',
    async run(server) {
      for (const version of [0, 2, 255]) {
        const connection = await server.connect()
        const request = server.request(1, '/bytes/10')
        request[0] = version
        connection.write(request)
        await connection.expectClosed()
        if (connection.records.length > 0) throw connection.unmet(`no response to version ${version}`)
      }
    },
  },
  {
    id: 'records/empty-flood',
    section: '3.3',
    level: 'should',
    requirement: 'The server handles a request after 10,000 empty records in one write.',
    async run(server) {
      const connection = await server.connect()
      const flood = Buffer.concat(Array.from({ length: 10_000 }, () => record(TYPES.STDIN, 7)))
      connection.write(flood, server.request(1, '/bytes/10'))
      await connection.expectOk(1, '0123456789')
    },
  },
  {
    id: 'records/long-output',
    section: '3.3',
    level: 'must',
    requirement: 'A long response arrives in several records, complete and in order.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/300000'))
      await connection.expectOk(1, '0123456789'.repeat(30_000))
    },
  },
  {
    id: 'records/output-headers',
    section: '3.3',
    level: 'must',
    requirement:
      'The records of the server have version 1, the id of the request, and a type that applications send.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(258, '/body', { body: BODY }))
      await connection.expectOk(258, BODY)
      const types: number[] = [TYPES.STDOUT, TYPES.STDERR, TYPES.END_REQUEST]
      const odd = connection.records.find(({ type, id }) => id !== 258 || !types.includes(type))
      if (odd) throw connection.unmet('STDOUT, STDERR and END_REQUEST for request 258, and nothing else')
    },
  },
  {
    id: 'records/output-aligned',
    section: '3.3',
    level: 'should',
    requirement:
      'The server pads its records with zeros to a multiple of 8 bytes. Its reserved bytes are zero.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/1001'))
      await connection.expectOk(1)
      for (const { content, padding, reserved } of connection.records) {
        if ((content.length + padding.length) % 8 !== 0) {
          throw connection.unmet('records of a multiple of 8 bytes', `${content.length} + ${padding.length}`)
        }
        if (padding.some((byte) => byte !== 0) || reserved !== 0) {
          throw connection.unmet('zeros', `padding ${padding.toString('hex')}, reserved byte ${reserved}`)
        }
      }
    },
  },
  {
    id: 'records/end-inside',
    section: '3.3',
    level: 'should',
    requirement:
      'The server closes a connection that ends in the middle of a record, and handles other connections.',
    async run(server) {
      for (const cut of [-1, -8, -20]) {
        const connection = await server.connect()
        connection.write(server.request(1, '/body', { body: BODY }).subarray(0, cut)).halfClose()
        await connection.expectClosed()
      }
    },
  },
  {
    id: 'records/stream-pieces',
    section: '3.3',
    level: 'must',
    requirement: 'The server decodes a stream that is divided into any number of records.',
    async run(server) {
      const body = BODY.repeat(20)
      const connection = await server.connect()
      connection.write(
        server.beginAndParams(1, '/body', { body }),
        stream(TYPES.STDIN, 1, body, 3),
        record(TYPES.STDIN, 1),
      )
      await connection.expectOk(1, body)
    },
  },
]

/** Splits the result of `beginAndParams()` into BEGIN_REQUEST and the content of PARAMS, which is one record. */
function splitHead(head: Buffer): [begin: Buffer, params: Buffer] {
  return [head.subarray(0, 16), head.subarray(24, -8)]
}

/** The offset of each byte of each record header, and of the first byte after it. */
function cuts(request: Buffer): number[] {
  const offsets: number[] = []
  for (let at = 0; at < request.length; at += 8 + request.readUInt16BE(at + 4)) {
    for (let offset = at; offset <= at + 9; offset++) {
      if (offset > 0 && offset < request.length) offsets.push(offset)
    }
  }
  return [...new Set(offsets)]
}
