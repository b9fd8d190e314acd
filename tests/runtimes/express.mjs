import { serve } from '@fcgi-bridge/express-adapter'
import express from 'express'

const app = express()
let left = 0

app.post('/json', express.json(), (request, response) => response.json(request.body))
app.get('/large', (_request, response) => response.send(Buffer.alloc(3_000_000, 'a')))
app.get('/left', (_request, response) => response.send(String(left)))
app.get('/cookies', (request, response) => {
  response.cookie('a', '1').cookie('b', '2').send(request.headers.cookie)
})
app.get('/events', (_request, response) => {
  const timer = setInterval(() => response.write('data: event\n\n'), 20)
  response.on('close', () => {
    clearInterval(timer)
    left++
  })
})
app.get('/fail', () => {
  throw new Error('secret')
})
app.get('/{*path}', ({ method, protocol, hostname, originalUrl, ip }, response) => {
  response.send(`${method} ${protocol}://${hostname}${originalUrl} from ${ip}`)
})

await serve(app)
