// FastCGI 1.0, section 4: management records.

import { begin, bytes, get, POST, pair, pairs, params, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, connected, echo, readAll } from '../testing/serving.ts'

const OPTIONS = { maxConnections: 12, maxRequests: 345 }
const ALL = pairs([
  ['FCGI_MAX_CONNS', ''],
  ['FCGI_MAX_REQS', ''],
  ['FCGI_MPXS_CONNS', ''],
])

const isResult = (r: { type: number }): boolean => r.type === TYPES.GET_VALUES_RESULT

describe('23: GET_VALUES', () => {
  test.each<[string, Buffer, [string, string][]]>([
    [
      'all three',
      ALL,
      [
        ['FCGI_MAX_CONNS', '12'],
        ['FCGI_MAX_REQS', '345'],
        ['FCGI_MPXS_CONNS', '1'],
      ],
    ],
    ['a subset', pair('FCGI_MAX_REQS', ''), [['FCGI_MAX_REQS', '345']]],
    [
      'unknown names are omitted',
      pairs([
        ['FCGI_MAX_FISH', ''],
        ['FCGI_MPXS_CONNS', ''],
        ['toString', ''],
        ['__proto__', ''],
        ['', ''],
      ]),
      [['FCGI_MPXS_CONNS', '1']],
    ],
    ['no name', Buffer.alloc(0), []],
    [
      'one name a thousand times',
      Buffer.concat(Array(1000).fill(pair('FCGI_MAX_CONNS', ''))),
      [['FCGI_MAX_CONNS', '12']],
    ],
    ['a value with the name', pair('FCGI_MAX_CONNS', 'ignored'), [['FCGI_MAX_CONNS', '12']]],
    ['content that cannot be decoded', Buffer.from([0xff, 0xff]), []],
  ])('23: %s', async (_, query, expected) => {
    const { peer } = await connected(echo, OPTIONS)
    peer.write(record(TYPES.GET_VALUES, 0, query, 5))
    const result = await peer.until(() => peer.records.find(isResult))
    expect(result.id).toBe(0)
    expect(result.content).toEqual(pairs(expected))
  })

  test('23: FCGI_MPXS_CONNS is 0 if multiplexing is off', async () => {
    const { peer } = await connected(echo, { multiplex: false })
    peer.write(record(TYPES.GET_VALUES, 0, pair('FCGI_MPXS_CONNS', '')))
    const { content } = await peer.until(() => peer.records.find(isResult))
    expect(content).toEqual(pair('FCGI_MPXS_CONNS', '0'))
  })

  test('23: each query gets one result', async () => {
    const { peer } = await connected(echo)
    for (let i = 0; i < 100; i++) peer.write(record(TYPES.GET_VALUES, 0, ALL))
    peer.get(1)
    await peer.response(1)
    expect(peer.records.filter(isResult)).toHaveLength(100)
  })
})

test('24: GET_VALUES between PARAMS records gets an immediate reply and does not affect the app', async () => {
  const { peer } = await connected(echo)
  const all = params(1, POST)
  peer.write(begin(1), all.subarray(0, -8), record(TYPES.GET_VALUES, 0, ALL))
  await peer.until(() => peer.records.find(isResult))
  peer.write(record(TYPES.PARAMS, 1))
  peer
    .stdin(1, 'he')
    .write(record(TYPES.GET_VALUES, 0, ALL))
    .stdin(1, 'llo')
    .endStdin(1)
  expect((await peer.response(1)).stdout).toMatch(/POST \/ hello$/)
  expect(peer.records.filter(isResult)).toHaveLength(2)
})

test('24: GET_VALUES gets an immediate reply while a handler waits for STDIN', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '4' })
  const exchange = await app.next()
  const body = readAll(exchange.stdin)
  peer.write(record(TYPES.GET_VALUES, 0, ALL))
  await peer.until(() => peer.records.find(isResult))
  peer.stdin(1, 'body').endStdin(1)
  exchange.end(await body)
  expect((await peer.response(1)).stdout).toMatch(/body$/)
})

test('24: GET_VALUES works alone on a connection, as a health check', async () => {
  const { peer } = await connected(echo)
  peer.write(record(TYPES.GET_VALUES, 0, ALL)).halfClose()
  await peer.close()
  expect(peer.records).toHaveLength(1)
  expect(peer.records[0]).toMatchObject({ type: TYPES.GET_VALUES_RESULT, id: 0 })
  expect(peer.error).toBeUndefined()
})

describe('25: records with id 0', () => {
  test.each([0, 12, 99, 255])(
    '25: the unknown type %i gets the reply UNKNOWN_TYPE, and its content is skipped',
    async (type) => {
      const { peer } = await connected(echo)
      // Content that looks like a record must not be decoded as one.
      peer.write(record(type, 0, get(9), 7), record(type, 0))
      peer.get(1)
      await peer.response(1)
      const replies = peer.recordsOf(0)
      expect(replies).toHaveLength(2)
      for (const reply of replies) {
        expect(reply.type).toBe(TYPES.UNKNOWN_TYPE)
        expect([...reply.content]).toEqual([type, 0, 0, 0, 0, 0, 0, 0])
      }
      expect(peer.recordsOf(9)).toEqual([])
    },
  )

  test.each([2, 3, 4, 5, 6, 7, 8, 10, 11])(
    '25: type %i, which needs a request id or is sent by applications only, is ignored',
    async (type) => {
      const { peer } = await connected(echo)
      peer.write(record(type, 0, 'content', 3), record(type, 0))
      peer.get(1)
      await peer.response(1)
      expect(peer.recordsOf(0)).toEqual([])
    },
  )
})

test.each([3, 6, 7, 9, 10, 11, 0, 12, 99, 255])('26: type %i on an active id is ignored', async (type) => {
  const { peer, protocolErrors } = await connected(echo)
  const stray = bytes(record(type, 1, 'content', 4), record(type, 1))
  peer.write(begin(1), stray, params(1, POST), stray)
  peer.stdin(1, 'body').write(stray).endStdin(1)
  expect((await peer.response(1)).stdout).toMatch(/POST \/ body$/)
  await peer.end()
  expect(peer.recordsOf(0)).toEqual([])
  expect(protocolErrors).toEqual([])
})
