import { createHash } from 'node:crypto'
import express from 'express'

const app = express()
let disconnects = 0

app.use(express.static('public'))
app.get('/', (_request, response) => response.send('<!doctype html><title>Express</title>'))
app.get('/client', ({ ip, protocol, hostname, originalUrl }, response) => {
  response.json({ ip, protocol, hostname, originalUrl })
})
app.post('/form', express.urlencoded(), ({ body }, response) => {
  response.cookie('name', body.name).cookie('theme', 'dark', { httpOnly: true }).redirect(303, '/hello')
})
app.get('/hello', (request, response) => response.type('text').send(`hello ${request.get('cookie')}`))
app.post('/upload', express.raw({ limit: '10mb' }), ({ body }, response) => {
  response.json({ bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') })
})
app.get('/events', (_request, response) => {
  response.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write('data: first\n\n')
  const timer = setInterval(() => response.write('data: next\n\n'), 50)
  response.on('close', () => {
    clearInterval(timer)
    disconnects++
  })
})
app.get('/disconnects', (_request, response) => response.json(disconnects))
app.get('/fail', () => {
  throw new Error('secret')
})

app.listen(Number(process.env.PORT ?? 3000))
