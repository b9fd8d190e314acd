import { createHash, randomBytes } from 'node:crypto'
import cookieSession from 'cookie-session'
import express from 'express'
import multer from 'multer'

const app = express()

// The signed cookie contains the session. All processes can read it if they have the same secret.
app.use(
  cookieSession({
    name: 'session',
    secret: process.env.SESSION_SECRET ?? randomBytes(32).toString('hex'),
    httpOnly: true,
    sameSite: 'lax',
    maxAge: 24 * 60 * 60 * 1000,
  }),
)

app.get('/', (_req, res) => {
  res.send(page)
})

app.get('/hello/:name', (req, res) => {
  res.type('text').send(`Hello, ${req.params.name}!\n`)
})

// JSON. `req.fcgi` is the information that FastCGI adds to a request. It is undefined if the app runs on node:http.
app.get('/api/request', (req, res) => {
  res.json({
    method: req.method,
    baseUrl: req.baseUrl,
    url: req.url,
    hostname: req.hostname,
    ip: req.ip,
    secure: req.secure,
    frontServer: req.fcgi?.params.SERVER_SOFTWARE,
    role: req.fcgi?.role,
  })
})

app.post('/api/echo', express.json(), (req, res) => {
  res.json({ youSent: req.body })
})

// A form.
app.post('/form', express.urlencoded(), (req, res) => {
  const name = String(req.body?.name ?? '').trim()
  if (name === '') return void res.status(400).type('text').send('Please give a name.\n')
  res.type('text').send(`Pleased to meet you, ${name}.\n`)
})

// A file upload with a limit of the app. The front server has its own limit.
const upload = multer({
  storage: multer.memoryStorage(),
  limits: { files: 1, fileSize: 10 * 1024 * 1024 },
  defParamCharset: 'utf8',
})

app.post('/upload', upload.single('file'), (req, res) => {
  const { file } = req
  if (!file) return void res.status(400).json({ error: 'Send one file in the field "file".' })
  const sha256 = createHash('sha256').update(file.buffer).digest('hex')
  res.json({ name: file.originalname, type: file.mimetype, size: file.size, sha256 })
})

// Server-sent events: a counter that stops when the client disconnects.
app.get('/events', (_req, res) => {
  res.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-cache',
    // Without this header, nginx holds the response back until its buffer is full.
    'X-Accel-Buffering': 'no',
  })
  let count = 0
  const tick = () => res.write(`data: ${++count}\n\n`)
  tick()
  const timer = setInterval(tick, 1000)
  res.on('close', () => clearInterval(timer))
})

// A cookie session.
app.get('/session', (req, res) => {
  req.session.visits = (req.session.visits ?? 0) + 1
  res.set('Cache-Control', 'no-store').json({ visits: req.session.visits })
})

app.delete('/session', (req, res) => {
  req.session = null
  res.status(204).end()
})

app.use((error, _req, res, next) => {
  if (error instanceof multer.MulterError) {
    return void res.status(error.code === 'LIMIT_FILE_SIZE' ? 413 : 400).json({ error: error.message })
  }
  next(error)
})

// The links are relative, so that the page works under any mount (https://example.com/shop/).
const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<style>body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif }</style>
<title>Express over FastCGI</title>
<h1>Express over FastCGI</h1>
<ul>
  <li><a href="hello/world">A route</a>
  <li><a href="api/request">JSON: this request as Express gets it</a>
  <li><a href="events">Server-sent events</a>
  <li><a href="session">A cookie session: reload it</a>
</ul>
<form method="post" action="form">
  <label>Your name <input name="name" required></label> <button>Send</button>
</form>
<form method="post" action="upload" enctype="multipart/form-data">
  <label>A file <input type="file" name="file" required></label> <button>Upload</button>
</form>
</html>
`

export default app
