import { setImmediate, setTimeout } from 'node:timers/promises'
import * as Sentry from '@sentry/node'
import express from 'express'
import { serveListener } from './serve.mjs'

const app = express()
app.all('/user/:id', express.json(), async (request) => {
  const { id } = request.params
  Sentry.setUser({ id })
  Sentry.setTag('user', id)
  await setImmediate()
  // Other requests run in the meantime.
  await setTimeout(Math.random() * 30)
  throw new Error(`broken for ${id}`)
})
app.get('/ok', (_request, response) => void response.send('ok'))
Sentry.setupExpressErrorHandler(app)
app.use((_error, _request, response, _next) => void response.status(500).send('failed'))
await serveListener(app)
