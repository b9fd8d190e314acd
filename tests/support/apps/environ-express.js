// flup's list of the environment, as an Express app with a route for the requested path.
import { serve } from '@fcgi-bridge/express-adapter'
import express from 'express'
import { serveOptions } from './options.js'

const app = express()

app.get('/aadsfasddfasdf', (req, res) => {
  const lines = Object.entries(req.fcgi.params).map(([name, value]) => `${name}=${value}\n`)
  res
    .type('text/plain')
    .send(`Flup works!\n${lines.join('')}\nreq.url=${req.url}\nreq.query.a=${req.query.a}\n`)
})

await serve(app, serveOptions)
