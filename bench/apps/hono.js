import { Hono } from 'hono'
import { bytes, webStream } from './bodies.js'

/** The app of all fetch servers. */
export const app = new Hono()

app.get('/', (c) => c.text('Hello, world!'))

app.post('/json', async (c) => {
  const { items } = await c.req.json()
  return c.json({ count: items.length, first: items[0] })
})

app.get('/bytes/:length', (c) => c.body(bytes(Number(c.req.param('length')))))

app.get('/download/:length', (c) => {
  const length = c.req.param('length')
  return c.body(webStream(Number(length)), 200, { 'Content-Length': length })
})

app.post('/upload', async (c) => {
  let length = 0
  for await (const chunk of c.req.raw.body ?? []) length += chunk.length
  return c.json({ length })
})
