import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import multipart from '@fastify/multipart'
import files from '@fastify/static'
import Fastify from 'fastify'

const app = Fastify()
let disconnects = 0

await app.register(cookie)
await app.register(formbody)
await app.register(multipart)
await app.register(files, { root: new URL('public', import.meta.url) })

app.get('/', (_request, reply) => reply.type('text/html').send('<!doctype html><title>Fastify</title>'))
app.get('/client', ({ ip, protocol, hostname, originalUrl }) => ({ ip, protocol, hostname, originalUrl }))
app.post('/form', ({ body }, reply) =>
  reply.setCookie('name', body.name).setCookie('theme', 'dark', { httpOnly: true }).redirect('/hello', 303),
)
app.get('/hello', ({ cookies }) => `hello ${cookies.name}`)
app.post('/upload', async (request) => {
  const file = await request.file({ limits: { fileSize: 10_000_000 } })
  const body = await file.toBuffer()
  const sha256 = createHash('sha256').update(body).digest('hex')
  return { field: file.fieldname, name: file.filename, bytes: body.length, sha256 }
})
app.get('/events', (_request, reply) => {
  const events = new Readable({ read() {} })
  events.push('data: first\n\n')
  const timer = setInterval(() => events.push('data: next\n\n'), 50)
  events.on('close', () => {
    clearInterval(timer)
    disconnects++
  })
  return reply.type('text/event-stream').send(events)
})
app.get('/disconnects', () => String(disconnects))
app.get('/fail', () => {
  throw new Error('not secret')
})

await app.listen({ port: Number(process.env.PORT ?? 3000) })
