// Sends a request to another app over FastCGI, as an app does to its backend.

import { FastCgiDispatcher } from '@fcgi-bridge/client'
import express from 'express'
import { fetch } from 'undici'
import { serveListener } from './serve.mjs'

const dispatcher = new FastCgiDispatcher({ host: '127.0.0.1', port: Number(process.env.NEXT) })
const app = express()
app.get('/calls/:name', async (request, response) => {
  const next = await fetch(`http://next.test/hello/${request.params.name}`, { dispatcher })
  response.send(`next says ${await next.text()}`)
})
await serveListener(app)
