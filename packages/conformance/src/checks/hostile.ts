import type { Check } from '../check.ts'
import { bytes, record, TYPES } from '../wire/bytes.ts'

/** What no front server sends. The server may do what it likes with that connection, and goes on to serve others. */
export const HOSTILE: readonly Check[] = [
  {
    id: 'hostile/other-protocols',
    section: '3.3',
    level: 'should',
    requirement: 'HTTP and TLS on its port are no requests: the connection is closed.',
    async run(server) {
      const hello = bytes([22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3], Buffer.alloc(54))
      for (const first of ['GET / HTTP/1.1\r\nHost: front.test\r\n\r\n', hello]) {
        const connection = await server.connect()
        connection.write(first)
        await connection.closed()
      }
    },
  },
  {
    id: 'hostile/unknown-types',
    section: '4.2',
    level: 'should',
    requirement: 'It outlives records of every type, with every kind of id.',
    async run(server) {
      for (const id of [0, 1, 65_535]) {
        for (let type = 0; type < 256; type += type < 16 ? 1 : 30) {
          const connection = await server.connect()
          await connection.writeWhole(record(type, id, 'content'), record(type, id, [0xff, 0xff, 0xff, 0xff]))
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
    requirement: 'It outlives requests that are cut off anywhere, each with its connection.',
    async run(server) {
      const request = server.request(1, '/body', { body: 'body' })
      for (let at = 1; at < request.length; at += 5) {
        const connection = await server.connect()
        await connection.writeWhole(request.subarray(0, at))
        connection.destroy()
      }
      await server.probe()
    },
  },
  {
    id: 'hostile/flipped-bytes',
    section: '3.3',
    level: 'should',
    requirement: 'It outlives requests with a byte that is another than it should be.',
    async run(server) {
      const request = server.request(1, '/body', { body: 'body' })
      for (let at = 0; at < request.length; at += 3) {
        const connection = await server.connect()
        const flipped = bytes(request)
        flipped[at]! ^= 0xff
        await connection.writeWhole(flipped, record(TYPES.STDIN, 1))
        connection.halfClose()
        connection.destroy()
      }
      await server.probe()
    },
  },
]
