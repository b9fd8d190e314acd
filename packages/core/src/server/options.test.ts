import { pairs, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import { App, connected, echo } from '../testing/serving.ts'
import type { ServerOptions } from './options.ts'
import { createServer } from './server.ts'

describe('an invalid limit is an error at the start', () => {
  test.each<[keyof ServerOptions, unknown]>([
    ['maxConnections', 0],
    ['maxRequests', -1],
    ['maxRequests', Number.NaN],
    ['maxRequests', '10'],
    ['maxParamsBytes', 0],
    ['maxParamsCount', 0.5],
    ['maxBodyBytes', -1],
    ['bodyTimeout', -1],
    ['lingerBytes', null],
    ['drainTimeout', '7s'],
    ['idleTimeout', Number.NaN],
  ])('%s: %j', (name, value) => {
    const make = () => createServer(echo, { [name]: value })
    if (value === null) expect(make).not.toThrow()
    else expect(make).toThrow(new RegExp(`^The option ${name} must be a number of at least [01], not .*\\.$`))
  })
})

test.each(['shop', '', 'script_name', 7, ['/shop']])('mount: %j is an error at the start', (mount) => {
  expect(() => createServer(echo, { mount: mount as 'auto' })).toThrow(/The option mount must be/)
})

test.each<[object, string]>([
  [{ maxRequest: 5 }, "There is no option 'maxRequest'. Did you mean 'maxRequests'?"],
  [{ port: 9000 }, "There is no option 'port'. Pass it to listen()."],
  [{ onListen() {} }, "There is no option 'onListen'."],
  [9000 as never, 'The options must be an object, not 9000. Pass the address to listen({ port: 9000 }).'],
  [
    '/run/app.sock' as never,
    "The options must be an object, not '/run/app.sock'. Pass the address to listen({ path: '/run/app.sock' }).",
  ],
  [true as never, 'The options must be an object, not true. The options are mount, '],
  [
    () => {},
    'not a function. Write createServer(handler, options). To run code when the server listens, await server.listen().',
  ],
])('createServer(echo, %j) is an error at the start', (options, message) => {
  expect(() => createServer(echo, options)).toThrow(message)
})

test('Infinity turns a limit off, and GET_VALUES then returns the largest number that front servers can read', async () => {
  const Infinite = Number.POSITIVE_INFINITY
  const { peer } = await connected(echo, { maxRequests: Infinite, maxConnections: 1.5 })
  const query = pairs([
    ['FCGI_MAX_CONNS', ''],
    ['FCGI_MAX_REQS', ''],
  ])
  peer.write(record(TYPES.GET_VALUES, 0, query))
  const { content } = await peer.next(TYPES.GET_VALUES_RESULT, 0)
  expect(content).toEqual(
    pairs([
      ['FCGI_MAX_CONNS', '1'],
      ['FCGI_MAX_REQS', '2147483647'],
    ]),
  )
})

test('time-outs can be Infinity', async () => {
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const Infinite = Number.POSITIVE_INFINITY
  const app = new App()
  const { peer, server, sockets } = await connected(app.handler, {
    drainTimeout: Infinite,
    lingerTimeout: Infinite,
    requestTimeout: Infinite,
    idleTimeout: Infinite,
    bodyTimeout: Infinite,
    paramsTimeout: Infinite,
  })
  peer.post(1, { CONTENT_LENGTH: '10' })
  ;(await app.next()).end('early')
  await peer.end()
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(sockets[0]!.destroyed).toBe(false)
  peer.halfClose()
  await peer.close()
  await server.close()
  expect(warning).not.toHaveBeenCalled()
  warning.mockRestore()
})
