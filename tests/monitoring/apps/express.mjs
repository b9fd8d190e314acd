import express from 'express'
import { serveListener } from './serve.mjs'

const app = express()
const router = express.Router()
router.get('/:name', (request, response) => void response.send(`hello ${request.params.name}`))
app.use('/hello', router)
app.post('/items', express.json(), (_request, response) => void response.status(201).send('made'))
app.get('/stream', (_request, response) => {
  response.write('one,')
  setImmediate(() => response.end('two'))
})
app.get('/fails', () => {
  throw new Error('broken')
})
app.use((_error, _request, response, _next) => void response.status(500).send('failed'))
await serveListener(app)
