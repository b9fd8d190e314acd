import { createHash } from 'node:crypto'
import { PassThrough } from 'node:stream'
import Hapi from '@hapi/hapi'
import inert from '@hapi/inert'

const server = Hapi.server({ port: Number(process.env.PORT ?? 3000), host: 'localhost', debug: false })
let disconnects = 0

await server.register(inert)
server.state('name', { isSecure: false })
server.route([
  { method: 'GET', path: '/', handler: () => '<!doctype html><title>hapi</title>' },
  { method: 'GET', path: '/style.css', handler: (_request, h) => h.file('public/style.css') },
  {
    method: 'GET',
    path: '/client',
    handler: ({ info, url }) => ({ ip: info.remoteAddress, host: info.host, url: url.href }),
  },
  {
    method: 'POST',
    path: '/form',
    handler: ({ payload }, h) =>
      h.redirect('/hello').code(303).state('name', payload.name).state('theme', 'dark'),
  },
  { method: 'GET', path: '/hello', handler: ({ state }) => `hello ${state.name}` },
  {
    method: 'POST',
    path: '/upload',
    options: { payload: { maxBytes: 10_000_000, parse: false } },
    handler: ({ payload }) => ({
      bytes: payload.length,
      sha256: createHash('sha256').update(payload).digest('hex'),
    }),
  },
  {
    method: 'GET',
    path: '/events',
    handler: ({ raw }, h) => {
      const events = new PassThrough()
      events.write('data: first\n\n')
      const timer = setInterval(() => events.write('data: next\n\n'), 50)
      raw.res.on('close', () => {
        clearInterval(timer)
        disconnects++
      })
      return h.response(events).type('text/event-stream')
    },
  },
  { method: 'GET', path: '/disconnects', handler: () => String(disconnects) },
  {
    method: 'GET',
    path: '/fail',
    handler: () => {
      throw new Error('secret')
    },
  },
])

await server.start()
