// The routes as an Express app.
import { buffer } from 'node:stream/consumers'
import { serve } from '@fcgi-bridge/express-adapter'
import express from 'express'
import { digits, listParams, sleep } from './routes.js'

const app = express()

app.use((_request, response, next) => {
  response.type('text/plain')
  next()
})

app.all('/params', (request, response) => {
  response.send(listParams(request.fcgi.params))
})

app.all('/body', async (request, response) => {
  response.send(await buffer(request))
})

app.all('/echo', (request, response) => {
  response.write('begun\n')
  request.pipe(response)
})

app.all('/bytes/:count', (request, response) => {
  response.send(digits(Number(request.params.count)))
})

app.all('/slow/:ms', async (request, response) => {
  await sleep(Number(request.params.ms))
  response.send('slow')
})

app.all('/status/:status', (request, response) => {
  response.status(Number(request.params.status)).end()
})

app.all('/stderr', (request, response) => {
  for (let i = 0; i < 100; i++) {
    response.write(`out ${i}\n`)
    request.fcgi.stderr.write(`err ${i}\n`)
  }
  response.end()
})

app.all('/authorize', (_request, response) => {
  response.set('Variable-CONFORMANCE', 'yes').end()
})

app.all('/hints', (_request, response) => {
  response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
  response.send('hints')
})

// An Express app has no application status and no DATA.
app.all(['/exit/:status', '/data'], (_request, response) => {
  response.sendStatus(501)
})

await serve(app)
