import Fastify from 'fastify'
import { serveListener } from './serve.mjs'

const fastify = Fastify()
fastify.get('/hello/:name', async (request) => `hello ${request.params.name}`)
fastify.post('/items', async (_request, reply) => reply.code(201).send('made'))
fastify.get('/stream', async (_request, reply) => {
  reply.raw.write('one,')
  setImmediate(() => reply.raw.end('two'))
  return reply.hijack()
})
fastify.get('/fails', async () => {
  throw new Error('broken')
})
await fastify.ready()
await serveListener(fastify.routing)
