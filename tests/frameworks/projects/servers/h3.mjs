import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createEventStream, getCookie, H3, redirect, serve, serveStatic, setCookie } from 'h3'

const app = new H3()
let disconnects = 0

app.get(
  '/',
  () => new Response('<!doctype html><title>h3</title>', { headers: { 'content-type': 'text/html' } }),
)
app.get('/style.css', (event) =>
  serveStatic(event, {
    getContents: (id) => readFile(`public${id}`),
    getMeta: async (id) => {
      const { size, mtimeMs } = await stat(`public${id}`)
      return { type: 'text/css', size, mtime: mtimeMs, etag: `"${size}"` }
    },
  }),
)
app.get('/client', (event) => ({ ip: event.req.ip, url: event.req.url }))
app.post('/form', async (event) => {
  const form = await event.req.formData()
  setCookie(event, 'name', form.get('name'))
  setCookie(event, 'theme', 'dark', { httpOnly: true })
  return redirect('/hello', 303)
})
app.get('/hello', (event) => `hello ${getCookie(event, 'name')}`)
app.post('/upload', async (event) => {
  const file = (await event.req.formData()).get('file')
  const body = Buffer.from(await file.arrayBuffer())
  return { name: file.name, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') }
})
app.get('/events', (event) => {
  const stream = createEventStream(event)
  stream.push('first')
  const timer = setInterval(() => stream.push('next'), 50)
  stream.onClosed(() => {
    clearInterval(timer)
    disconnects++
  })
  return stream.send()
})
app.get('/disconnects', () => String(disconnects))
app.get('/fail', () => {
  throw new Error('secret')
})

serve(app, { port: Number(process.env.PORT ?? 3000) })
