import type { Check } from '../check.ts'
import { bytes, pairs, record, STATUSES, TYPES, wholeStream } from '../wire/bytes.ts'

const UNKNOWN_ROLES = [0, 4, 65_535]

/** Sections 5.1 and 5.5: BEGIN_REQUEST, END_REQUEST and rejected requests. */
export const BEGIN_END: readonly Check[] = [
  {
    id: 'begin/unknown-role',
    section: '5.5',
    level: 'must',
    requirement: 'The server rejects an unknown role (0, 4, 65535) with UNKNOWN_ROLE in END_REQUEST.',
    async run(server) {
      for (const role of UNKNOWN_ROLES) {
        const connection = await server.connect()
        connection.write(server.request(1, '/bytes/10', { role }))
        const { protocolStatus } = await connection.response(1)
        if (protocolStatus !== STATUSES.UNKNOWN_ROLE) throw connection.unmet(`UNKNOWN_ROLE for role ${role}`)
        connection.destroy()
      }
    },
  },
  {
    id: 'begin/unknown-role-answer',
    section: '5.5',
    level: 'should',
    requirement:
      'The response to a rejected request has an error status: front servers read STDOUT only, and treat an empty one as an empty 200.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10', { role: 4 }))
      const { status, stdout } = await connection.response(1)
      if (status < 400) {
        throw connection.unmet(
          'a status of 400 or more on STDOUT',
          stdout === '' ? 'nothing on STDOUT' : `${status}`,
        )
      }
    },
  },
  {
    id: 'begin/unknown-role-kept',
    section: '5.1, 5.5',
    level: 'should',
    requirement:
      'With KEEP_CONN a rejected request does not close the connection, and later records for its id are ignored.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/body', { role: 4, body: 'rejected', keepConn: true }))
      await connection.response(1)
      connection.clear().write(record(TYPES.STDIN, 1, 'late'), server.request(1, '/bytes/10'))
      await connection.expectOk(1, '0123456789')
    },
  },
  {
    id: 'begin/wrong-length',
    section: '5.1',
    level: 'should',
    requirement: 'A BEGIN_REQUEST whose content is not 8 bytes long does not begin a request.',
    async run(server) {
      for (const size of [0, 7, 16]) {
        const connection = await server.connect()
        const body = bytes([0, 1, 0], Buffer.alloc(13)).subarray(0, size)
        const params = wholeStream(TYPES.PARAMS, 1, pairs(server.params('/bytes/10')))
        connection.write(record(TYPES.BEGIN_REQUEST, 1, body), params, record(TYPES.STDIN, 1))
        const response = await connection.response(1).catch((error) => {
          if (!connection.ended) throw error
        })
        if (response?.status === 200) throw connection.unmet(`no 200 for a BEGIN_REQUEST of ${size} bytes`)
        connection.destroy()
      }
    },
  },
  {
    id: 'end/one',
    section: '5.5',
    level: 'must',
    requirement: 'A response has one END_REQUEST, and nothing follows it.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/100000'))
      await connection.expectOk(1)
      await connection.expectClosed()
      if (
        connection.records.findIndex(({ type }) => type === TYPES.END_REQUEST) !==
        connection.records.length - 1
      ) {
        throw connection.unmet('END_REQUEST as the last record, once')
      }
    },
  },
  {
    id: 'end/fields',
    section: '5.5',
    level: 'must',
    requirement:
      'The content of END_REQUEST is 8 bytes long. For a successful request it has REQUEST_COMPLETE and the appStatus 0.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10'))
      await connection.expectOk(1)
      const { content } = connection.recordsOf(TYPES.END_REQUEST, 1)[0]!
      if (content.readUInt32BE(0) !== 0) throw connection.unmet('an appStatus of 0', content.toString('hex'))
    },
  },
  {
    id: 'end/reserved',
    section: '5.5',
    level: 'should',
    requirement: 'The reserved bytes of END_REQUEST are zero, not uninitialized memory.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10'))
      await connection.expectOk(1)
      const reserved = connection.recordsOf(TYPES.END_REQUEST, 1)[0]!.content.subarray(5)
      if (reserved.some((byte) => byte !== 0)) throw connection.unmet('three zeros', reserved.toString('hex'))
    },
  },
  {
    id: 'end/app-status',
    section: '5.5',
    level: 'must',
    requirement: "The appStatus of END_REQUEST is the app's exit status, most significant byte first.",
    async run(server) {
      for (const status of [3, 938]) {
        const connection = await server.connect()
        connection.write(server.request(1, `/exit/${status}`))
        const { appStatus } = await connection.expectOk(1)
        if (appStatus !== status) throw connection.unmet(`an appStatus of ${status}`)
        connection.destroy()
      }
    },
  },
]
