import { createHash, randomBytes } from 'node:crypto'
import { Hono } from 'hono'
import { getSignedCookie, setSignedCookie } from 'hono/cookie'
import { streamSSE } from 'hono/streaming'
import { getPath } from 'hono/utils/url'

const app = new Hono({
  // A fetch handler gets the full URL. Under a mount (https://example.com/shop/), routes begin after the mount.
  getPath: (request, options) => getPath(request).slice(options?.env?.mount?.length ?? 0) || '/',
})

app.get('/', (c) => c.html(page))

app.get('/hello/:name', (c) => c.text(`Hello, ${c.req.param('name')}!\n`))

// JSON. `c.env` is the second argument of a fetch handler: the information that FastCGI adds to the request.
app.get('/api/request', (c) =>
  c.json({
    method: c.req.method,
    url: c.req.url,
    mount: c.env?.mount,
    remoteAddress: c.env?.remoteAddress,
    frontServer: c.env?.params?.SERVER_SOFTWARE,
    role: c.env?.role,
  }),
)

app.post('/api/echo', async (c) => c.json({ youSent: await c.req.json() }))

// A form.
app.post('/form', async (c) => {
  const { name } = await c.req.parseBody()
  if (typeof name !== 'string' || name.trim() === '') return c.text('Please give a name.\n', 400)
  return c.text(`Pleased to meet you, ${name.trim()}.\n`)
})

// An upload of any size: the body is hashed while it arrives, and never buffered as a whole.
app.put('/upload/:name', async (c) => {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of c.req.raw.body ?? []) {
    hash.update(chunk)
    size += chunk.length
  }
  return c.json({ name: c.req.param('name'), size, sha256: hash.digest('hex') })
})

// Server-sent events: a counter that stops when the client disconnects.
app.get('/events', (c) => {
  // Without this header, nginx holds the response back until its buffer is full.
  c.header('X-Accel-Buffering', 'no')
  return streamSSE(c, async (stream) => {
    for (let count = 1; !stream.aborted; count++) {
      await stream.writeSSE({ data: String(count) })
      await stream.sleep(1000)
    }
  })
})

// A signed cookie. Every process that serves the app needs the same secret.
const secret = process.env.SESSION_SECRET ?? randomBytes(32).toString('hex')

app.get('/session', async (c) => {
  const visits = Number((await getSignedCookie(c, secret, 'visits')) || 0) + 1
  await setSignedCookie(c, 'visits', String(visits), secret, {
    path: c.env?.mount || '/',
    httpOnly: true,
    sameSite: 'Lax',
    maxAge: 24 * 60 * 60,
  })
  c.header('Cache-Control', 'no-store')
  return c.json({ visits })
})

// The links are relative, so that the page works under any mount.
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<style>body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif }</style>
<title>Hono over FastCGI</title>
<h1>Hono over FastCGI</h1>
<ul>
  <li><a href="hello/world">A route</a>
  <li><a href="api/request">JSON: this request as the handler gets it</a>
  <li><a href="events">Server-sent events</a>
  <li><a href="session">A signed cookie: reload it</a>
</ul>
<form method="post" action="form">
  <label>Your name <input name="name" required></label> <button>Send</button>
</form>
</html>
`

export default app
