import type { Check } from '../check.ts'
import { record, TYPES, wholeStream } from '../wire/bytes.ts'

const BODY = 'The body of the request.'

/** Headers that belong to the front server's own connection, and are none of an application's (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'upgrade']

/** Section 6.2, and RFC 3875: the body of a request, and the answer as a CGI response. */
export const RESPONDER: readonly Check[] = [
  {
    id: 'responder/head',
    section: 'RFC 3875, 6.2.1',
    level: 'must',
    requirement:
      'The answer begins with a CGI head: header fields, and no `HTTP/1.1` line; the status is in `Status`.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/status/404'))
      const { status, stdout, headers } = await connection.answer(1)
      const odd = headers.find(([name]) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
      if (status !== 404 || odd || /^HTTP\//.test(stdout)) {
        throw connection.unmet('a CGI head with `Status: 404`', JSON.stringify(stdout.slice(0, 200)))
      }
    },
  },
  {
    id: 'responder/hop-by-hop',
    section: 'RFC 3875, 6.3.4',
    level: 'must',
    requirement: 'An answer of unknown length has no Transfer-Encoding, no Connection, and no chunks.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/echo', { body: BODY }))
      const { headers } = await connection.served(1, `begun\n${BODY}`)
      const odd = headers.filter(([name]) => HOP_BY_HOP.includes(name))
      if (odd.length > 0) {
        throw connection.unmet(
          'none of these headers',
          odd.map(([name, value]) => `${name}: ${value}`).join(', '),
        )
      }
    },
  },
  {
    id: 'responder/interim',
    section: 'RFC 3875, 6.3.3',
    level: 'should',
    requirement:
      'An interim answer (103) of the app, which CGI can not carry, does not break the one behind it.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/hints'))
      const { stdout } = await connection.served(1, 'hints')
      if (/HTTP\/1|^Status: 1/im.test(stdout))
        throw connection.unmet('nothing of the 103', JSON.stringify(stdout))
    },
  },
  {
    id: 'responder/head-method',
    section: 'RFC 3875, 4.3.3',
    level: 'must',
    requirement: 'The answer to HEAD has no body.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10', { method: 'HEAD' }))
      await connection.served(1, '')
    },
  },
  {
    id: 'responder/binary-body',
    section: '6.2',
    level: 'must',
    requirement: 'A body of 1 MiB, of every byte there is, reaches the app and comes back as it was.',
    async run(server) {
      const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
        .toString('latin1')
        .repeat(4096)
      const connection = await server.connect()
      connection.write(server.request(1, '/body', { body }))
      await connection.served(1, body)
    },
  },
  {
    id: 'responder/both-ways',
    section: '6.2',
    level: 'should',
    requirement:
      'An app can answer while it reads: each piece of the body comes back before the next is sent.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/echo', { body: 'onetwosix', method: 'PUT' }))
      let wanted = 'begun\n'
      for (const piece of ['one', 'two', 'six']) {
        connection.write(record(TYPES.STDIN, 1, piece))
        wanted += piece
        const expected = `${JSON.stringify(wanted)} on STDOUT before more is sent`
        await connection.until(() => connection.text(TYPES.STDOUT, 1).endsWith(wanted), expected)
      }
      connection.write(record(TYPES.STDIN, 1))
      await connection.served(1, 'begun\nonetwosix')
    },
  },
  {
    id: 'responder/body-too-long',
    section: '6.2; RFC 3875, 4.2',
    level: 'should',
    requirement:
      'STDIN beyond CONTENT_LENGTH never reaches the app: the body is cut there, or the request refused.',
    async run(server) {
      const connection = await server.connect()
      connection.write(
        server.head(1, '/body', { body: BODY }),
        wholeStream(TYPES.STDIN, 1, `${BODY} And more.`),
      )
      const { status, body } = await connection.answer(1)
      if (status === 200 && body !== BODY) {
        throw connection.unmet(`a body of ${BODY.length} bytes, or an error`, JSON.stringify(body))
      }
    },
  },
  {
    id: 'responder/body-too-short',
    section: '6.2',
    level: 'should',
    requirement:
      'STDIN that ends before CONTENT_LENGTH is not taken for a whole body: the update is not made.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/body', { body: BODY }), wholeStream(TYPES.STDIN, 1, BODY.slice(0, 8)))
      const answer = await connection.answer(1).catch((error) => {
        if (!connection.ended) throw error
      })
      if (answer?.status === 200)
        throw connection.unmet('an error', `200 and the body ${JSON.stringify(answer.body)}`)
    },
  },
  {
    id: 'responder/no-length',
    section: '6.2',
    level: 'should',
    requirement: 'Without CONTENT_LENGTH, as for an upload in chunks, the body is what STDIN carries.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/body', { method: 'POST' }), wholeStream(TYPES.STDIN, 1, BODY))
      await connection.served(1, BODY)
    },
  },
]
