// The routes for tests/support/cases/, as an Express app.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { serve } from '@fcgi-bridge/express-adapter'
import express from 'express'
import { content, digest, readSlowly } from './content.js'
import { Control } from './control.js'
import { serveOptions } from './options.js'
import { parsed } from './parsed.js'

const control = new Control()
const app = express()

app.use('/echo', async (req, res) => {
  const { length, sha256 } = await digest(req)
  res.json({
    method: req.method,
    url: req.originalUrl,
    mount: req.fcgi.mount,
    headers: req.headers,
    remoteAddress: req.socket.remoteAddress,
    length,
    sha256,
  })
})

app.use('/parsed', parsed())

app.get('/text', (_req, res) => {
  res.type('text/plain').send('some text\n')
})

app.post('/form', express.urlencoded(), (req, res) => {
  res.json(req.body)
})

app.post('/json', express.json(), (req, res) => {
  res.json(req.body)
})

app.post('/files', readFiles, async (req, res) => {
  const files = await Promise.all(
    req.files.map(async (file) => ({
      field: file.fieldname,
      name: file.originalname,
      type: file.mimetype,
      ...(await digest([file.buffer])),
    })),
  )
  res.json({ fields: req.body, files })
})

app.post('/digest', async (req, res) => {
  res.json(await digest(req))
})

// The form parser is slow to load, and a CGI program is started for each request.
async function readFiles(req, res, next) {
  const { default: multer } = await import('multer')
  multer().any()(req, res, next)
}

// Reads nothing until the test says so.
app.post('/late', async (req, res) => {
  const { id } = req.query
  control.send(id, 'held')
  await control.waitFor(id, 'continue')
  res.json(await digest(req))
})

// Responds without reading the body.
app.post('/refuse', (_req, res) => {
  res.status(413).type('text/plain').send('too large\n')
})

app.post('/slow', async (req, res) => {
  res.json({ length: await readSlowly(req) })
})

app.get('/content/:length', async (req, res) => {
  const length = Number(req.params.length)
  res.set({ 'Content-Type': 'application/octet-stream', 'Content-Length': String(length) })
  await pipeline(Readable.from(content(length)), res)
})

app.get('/cookies', (_req, res) => {
  res.cookie('first', '1', { path: '/' })
  res.cookie('second', '2', { path: '/', httpOnly: true })
  res.append('Set-Cookie', 'third=3; Expires=Wed, 21 Oct 2099 07:28:00 GMT')
  res.send('three cookies\n')
})

app.get('/redirect/:status', (req, res) => {
  res.redirect(Number(req.params.status), req.query.to)
})

app.all('/status/:status', (req, res) => {
  res.status(Number(req.params.status)).end()
})

// With a Content-Length, and a body if Node sends one for that status.
app.all('/empty/:status', (req, res) => {
  res.writeHead(Number(req.params.status), { 'Content-Type': 'text/plain', 'Content-Length': '5' })
  res.end('hello')
})

app.use('/static', express.static(fileURLToPath(new URL('static', import.meta.url))))

app.get('/stream', async (req, res) => {
  res.type('text/plain').write('first\n')
  await control.waitFor(req.query.id, 'continue')
  res.end('second\n')
})

app.get('/events', async (req, res) => {
  res.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  })
  const timer = setInterval(() => res.write(`data: ${Date.now()}\n\n`), 20)
  await once(res, 'close')
  clearInterval(timer)
  control.send(req.query.id, 'disconnected')
})

app.get('/late-event', async (req, res) => {
  res.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
    'X-Length': req.query.length,
  })
  res.flushHeaders()
  await control.waitFor(req.query.id, 'continue')
  res.end('data: late\n\n')
})

app.post('/upload', async (req, res) => {
  const { id } = req.query
  req.on('aborted', () => control.send(id, 'aborted'))
  control.send(id, 'started')
  try {
    res.json(await digest(req))
    control.send(id, 'complete')
  } catch (error) {
    control.send(id, 'failed', String(error))
  }
})

app.get('/length/:length', (req, res) => {
  res.type('text/plain').set('Content-Length', req.params.length).end('abcd')
})

app.get('/fail/before', (req) => {
  throw new Error(`a secret of the app: ${req.query.id}`)
})

app.get('/fail/after', (req, res, next) => {
  const { id } = req.query
  res.type('text/plain').write('the beginning\n', async () => {
    control.send(id, 'started')
    await control.waitFor(id, 'continue')
    next(new Error(`a secret of the app: ${id}`))
  })
})

// Ends after 4 bytes, after the head and these bytes were sent.
app.get('/short/:length', (req, res) => {
  const { id } = req.query
  res.type('text/plain').set('Content-Length', req.params.length)
  res.write('half', async () => {
    control.send(id, 'started')
    await control.waitFor(id, 'continue')
    res.end()
  })
})

app.get('/fetched', async (req, res) => {
  const upstream = await fetch(req.query.from)
  res.type('text/plain')
  await pipeline(Readable.fromWeb(upstream.body), res)
})

// The request body is not read.
app.all('/hold', async (req, res) => {
  const { id } = req.query
  process.once('SIGTERM', () => control.send(id, 'SIGTERM'))
  control.send(id, 'held', String(process.pid))
  await control.waitFor(id, 'continue')
  res.type('text/plain').send(`held by ${process.pid}\n`)
})

await serve(app, serveOptions)
