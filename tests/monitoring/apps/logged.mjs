// An Express app with four loggers and with metrics for Prometheus, set up as in their documentation.

import express from 'express'
import prometheus from 'express-prom-bundle'
import expressWinston from 'express-winston'
import morgan from 'morgan'
import { pinoHttp } from 'pino-http'
import winston from 'winston'
import { serveListener } from './serve.mjs'

const app = express()
app.use(prometheus({ includeMethod: true, includePath: true, includeStatusCode: true }))
app.use(pinoHttp({ messageKey: 'pino' }))
app.use(
  morgan(
    'morgan :remote-addr :remote-user :method :url HTTP/:http-version :status :res[content-length] ":user-agent"',
  ),
)
app.use(
  expressWinston.logger({ transports: [new winston.transports.Console()], format: winston.format.json() }),
)
app.get('/hello/:name', (request, response) => void response.send(`hello ${request.params.name}`))
app.post('/items', express.json(), (request, response) => {
  request.log.info('creates an item')
  response.status(201).send('made')
})
app.get('/stream', (_request, response) => {
  response.write('one,')
  setImmediate(() => response.end('two'))
})
app.get('/fails', () => {
  throw new Error('broken')
})
app.use((_error, _request, response, _next) => void response.status(500).send('failed'))
await serveListener(app)
