import { createHash } from 'node:crypto'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { etag } from 'hono/etag'
import { streamSSE } from 'hono/streaming'

const app = new Hono()
let disconnects = 0

app.get('/', (context) => context.html('<!doctype html><title>Hono</title>'))
app.get('/style.css', etag(), serveStatic({ root: 'public' }))
app.get('/client', (context) => context.json({ url: context.req.url }))
app.post('/form', async (context) => {
  const { name } = await context.req.parseBody()
  setCookie(context, 'name', name)
  setCookie(context, 'theme', 'dark', { httpOnly: true })
  return context.redirect('/hello', 303)
})
app.get('/hello', (context) => context.text(`hello ${getCookie(context, 'name')}`))
app.post('/upload', async (context) => {
  const { file } = await context.req.parseBody()
  const body = Buffer.from(await file.arrayBuffer())
  const sha256 = createHash('sha256').update(body).digest('hex')
  return context.json({ name: file.name, bytes: body.length, sha256 })
})
app.get('/events', (context) =>
  streamSSE(context, async (stream) => {
    stream.onAbort(() => disconnects++)
    await stream.writeSSE({ data: 'first' })
    while (!stream.aborted) {
      await stream.sleep(50)
      await stream.writeSSE({ data: 'next' })
    }
  }),
)
app.get('/disconnects', (context) => context.text(String(disconnects)))
app.get('/fail', () => {
  throw new Error('secret')
})
app.onError((_error, context) => context.text('failed', 500))

export default app
