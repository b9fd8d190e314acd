import { setImmediate as nextLoop } from 'node:timers/promises'
import type { FastCgiServer } from '@fcgi-bridge/core'
import { expect, onTestFinished, test } from 'vitest'
import { serve } from './index.ts'
import { deferred } from './testing/deferred.ts'
import { ask } from './testing/front.ts'

const LOOPBACK = { port: 0, host: '127.0.0.1', handleSignals: false }

async function closing(serving: Promise<FastCgiServer>): Promise<FastCgiServer> {
  const server = await serving
  onTestFinished(() => server.close())
  return server
}

test('one object has the handlers and the address', async () => {
  const listening: unknown[] = []
  const server = await closing(
    serve({
      fetch: ({ url }) => new Response(url),
      authorize: (request) => request.headers.has('cookie'),
      onListen: (address) => listening.push(address),
      ...LOOPBACK,
    }),
  )
  expect(listening).toEqual([server.address()])
  expect((await ask(server, { target: '/a' })).text).toBe('http://front.test/a')
  expect((await ask(server, { role: 'authorizer' })).status).toBe(403)
  expect((await ask(server, { role: 'authorizer', headers: { cookie: 'a=1' } })).status).toBe(200)
})

test('serves a function or a module, with options as the second argument', async () => {
  const server = await closing(serve(() => new Response('function'), LOOPBACK))
  expect((await ask(server)).text).toBe('function')
  const other = await closing(serve(await import('./testing/default-app.ts'), LOOPBACK))
  expect((await ask(other)).text).toBe('default app')
})

test('refuses a role without a handler: authorizer without authorize, responder without fetch', async () => {
  const app = await closing(serve(() => new Response('app'), LOOPBACK))
  expect(await ask(app, { role: 'authorizer' })).toMatchObject({ status: 500, protocolStatus: 3 })
  const guard = await closing(serve({ authorize: () => true, ...LOOPBACK }))
  expect(await ask(guard)).toMatchObject({ status: 500, protocolStatus: 3 })
  expect((await ask(guard, { role: 'authorizer' })).status).toBe(200)
})

test('passes a filter request to fetch', async () => {
  const server = await closing(serve((_request, { role }) => new Response(role), LOOPBACK))
  expect((await ask(server, { role: 'filter', params: { FCGI_DATA_LENGTH: '0' } })).text).toBe('filter')
})

test('rejects if there is no handler', async () => {
  await expect(serve({} as never, LOOPBACK)).rejects.toThrow('serve() found no fetch handler')
})

test.each([
  ['in the options', () => serve(() => new Response(), { prot: 0, ...LOOPBACK } as never)],
  ['in the one object', () => serve({ fetch: () => new Response(), prot: 0, ...LOOPBACK } as never)],
])('an unknown name %s is refused', async (_, start) => {
  await expect(start()).rejects.toThrow("There is no option 'prot'. Did you mean 'port'?")
})

test('options that are not an object are refused', async () => {
  await expect(serve(() => new Response(), 9000 as never)).rejects.toThrow('Write { port: 9000 }')
  await expect(serve(() => new Response(), null as never)).rejects.toThrow(
    'The options must be an object, not null',
  )
})

test('functions and objects in the app are not options', async () => {
  const app = { fetch: () => new Response('worker'), scheduled() {}, hooks: {}, ...LOOPBACK }
  const server = await closing(serve(app))
  expect((await ask(server)).text).toBe('worker')
})

test('close waits for waitUntil, and a rejection goes to onError', async () => {
  const work = deferred()
  const errors: unknown[] = []
  const server = await serve({
    fetch: (_request, context) => {
      context.waitUntil(work.promise.then(() => Promise.reject(new Error('later'))))
      return new Response()
    },
    onError: (error) => errors.push(error),
    drainTimeout: 10_000,
    ...LOOPBACK,
  })
  await ask(server)
  let closed = false
  const closing = server.close().then(() => {
    closed = true
  })
  for (let turn = 0; turn < 20; turn++) await nextLoop()
  expect([closed, errors]).toEqual([false, []])
  work.resolve()
  await closing
  expect(errors).toEqual([expect.objectContaining({ message: 'later' })])
})
