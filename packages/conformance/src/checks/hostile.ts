import type { Check } from '../check.ts'
import { bytes, record, TYPES } from '../wire/bytes.ts'

/** Input that no front server sends. The server may close the connection, but must continue to handle other connections. */
export const HOSTILE: readonly Check[] = [
  {
    id: 'hostile/other-protocols',
    section: '3.3',
    level: 'should',
    requirement: 'The server closes a connection on which a client speaks HTTP or TLS.',
    async run(server) {
      const hello = bytes([22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3], Buffer.alloc(54))
      for (const first of ['GET / HTTP/1.1\r\nHost: front.test\r\n\r\n', hello]) {
        const connection = await server.connect()
        connection.write(first)
        await connection.expectClosed()
      }
    },
  },
  {
    id: 'hostile/unknown-types',
    section: '4.2',
    level: 'should',
    requirement: 'The server survives records of every type with all kinds of ids.',
    async run(server) {
      for (const id of [0, 1, 65_535]) {
        for (let type = 0; type < 256; type += type < 16 ? 1 : 30) {
          const connection = await server.connect()
          await connection.writeAndFlush(
            record(type, id, 'content'),
            record(type, id, [0xff, 0xff, 0xff, 0xff]),
          )
          connection.destroy()
        }
      }
      await server.probe()
    },
  },
  {
    id: 'hostile/cut-requests',
    section: '3.3',
    level: 'should',
    requirement: 'The server survives connections that are closed at any byte of a request.',
    async run(server) {
      const request = server.request(1, '/body', { body: 'body' })
      for (let at = 1; at < request.length; at += 5) {
        const connection = await server.connect()
        await connection.writeAndFlush(request.subarray(0, at))
        connection.destroy()
      }
      await server.probe()
    },
  },
  {
    id: 'hostile/flipped-bytes',
    section: '3.3',
    level: 'should',
    requirement: 'The server survives requests in which one byte is wrong.',
    async run(server) {
      const request = server.request(1, '/body', { body: 'body' })
      for (let at = 0; at < request.length; at += 3) {
        const connection = await server.connect()
        const flipped = bytes(request)
        flipped[at]! ^= 0xff
        await connection.writeAndFlush(flipped, record(TYPES.STDIN, 1))
        connection.halfClose()
        connection.destroy()
      }
      await server.probe()
    },
  },
]
