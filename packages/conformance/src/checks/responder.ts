import type { Check } from '../check.ts'
import { record, TYPES, wholeStream } from '../wire/bytes.ts'

const BODY = 'The body of the request.'

/** Headers that apply to one connection only, so an application must not send them (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'upgrade']

/** Section 6.2, and RFC 3875: the request body, and the CGI response. */
export const RESPONDER: readonly Check[] = [
  {
    id: 'responder/head',
    section: 'RFC 3875, 6.2.1',
    level: 'must',
    requirement:
      'The response begins with a CGI head: header fields without an `HTTP/1.1` line. The status is in `Status`.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/status/404'))
      const { status, stdout, headers } = await connection.response(1)
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
    requirement:
      'A response of unknown length has no Transfer-Encoding or Connection header, and is not chunked.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/echo', { body: BODY }))
      const { headers } = await connection.expectOk(1, `begun\n${BODY}`)
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
      'An interim response (103) of the app, which CGI does not support, does not corrupt the final response.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/hints'))
      const { stdout } = await connection.expectOk(1, 'hints')
      if (/HTTP\/1|^Status: 1/im.test(stdout))
        throw connection.unmet('no trace of the 103', JSON.stringify(stdout))
    },
  },
  {
    id: 'responder/head-method',
    section: 'RFC 3875, 4.3.3',
    level: 'must',
    requirement: 'The response to HEAD has no body.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/bytes/10', { method: 'HEAD' }))
      await connection.expectOk(1, '')
    },
  },
  {
    id: 'responder/binary-body',
    section: '6.2',
    level: 'must',
    requirement: 'A request body of 1 MiB with all byte values reaches the app and returns unchanged.',
    async run(server) {
      const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
        .toString('latin1')
        .repeat(4096)
      const connection = await server.connect()
      connection.write(server.request(1, '/body', { body }))
      await connection.expectOk(1, body)
    },
  },
  {
    id: 'responder/both-ways',
    section: '6.2',
    level: 'should',
    requirement:
      'An app can respond while it reads: each piece of the body returns before the next one is sent.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/echo', { body: 'onetwosix', method: 'PUT' }))
      let wanted = 'begun\n'
      for (const piece of ['one', 'two', 'six']) {
        connection.write(record(TYPES.STDIN, 1, piece))
        wanted += piece
        const expected = `${JSON.stringify(wanted)} on STDOUT before more is sent`
        await connection.until(() => connection.text(TYPES.STDOUT, 1).endsWith(wanted), expected)
      }
      connection.write(record(TYPES.STDIN, 1))
      await connection.expectOk(1, 'begun\nonetwosix')
    },
  },
  {
    id: 'responder/body-too-long',
    section: '6.2; RFC 3875, 4.2',
    level: 'should',
    requirement:
      'STDIN beyond CONTENT_LENGTH does not reach the app: the server truncates the body, or rejects the request.',
    async run(server) {
      const connection = await server.connect()
      connection.write(
        server.beginAndParams(1, '/body', { body: BODY }),
        wholeStream(TYPES.STDIN, 1, `${BODY} And more.`),
      )
      const { status, body } = await connection.response(1)
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
      'STDIN that ends before CONTENT_LENGTH is not treated as a complete body: the response is an error.',
    async run(server) {
      const connection = await server.connect()
      connection.write(
        server.beginAndParams(1, '/body', { body: BODY }),
        wholeStream(TYPES.STDIN, 1, BODY.slice(0, 8)),
      )
      const response = await connection.response(1).catch((error) => {
        if (!connection.ended) throw error
      })
      if (response?.status === 200)
        throw connection.unmet('an error', `200 and the body ${JSON.stringify(response.body)}`)
    },
  },
  {
    id: 'responder/no-length',
    section: '6.2',
    level: 'should',
    requirement: 'Without CONTENT_LENGTH, as for a chunked upload, the body is all of STDIN.',
    async run(server) {
      const connection = await server.connect()
      connection.write(
        server.beginAndParams(1, '/body', { method: 'POST' }),
        wholeStream(TYPES.STDIN, 1, BODY),
      )
      await connection.expectOk(1, BODY)
    },
  },
]
