// Sends what it received back in a header, so that HEAD gets it too: the params, with one character per byte, and the
// body.
import { createBody, serve } from '@fcgi-bridge/core'
import { serveOptions } from './options.js'

await serve(async (exchange) => {
  const chunks = []
  for await (const chunk of createBody(exchange.stdin)) chunks.push(chunk)
  const seen = { ...exchange.params, '(body)': Buffer.concat(chunks).toString('latin1') }
  exchange.writeHead(200, ['x-seen', Buffer.from(JSON.stringify(seen)).toString('base64')])
  exchange.end()
}, serveOptions)
