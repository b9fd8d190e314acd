// Serves an app on a free port of 127.0.0.1. The environment variable WAY selects HTTP or FastCGI.

import { createServer } from 'node:http'

const overHttp = process.env.WAY === 'http'

/** Serves a (request, response) listener. */
export async function serveListener(listener) {
  if (overHttp) listen(createServer(listener))
  else {
    const { serve } = await import('@fcgi-bridge/express-adapter')
    announce(await serve(listener, options))
  }
}

/** Serves an app with a `fetch` method. */
export async function serveFetch(app) {
  if (overHttp) {
    const { createAdaptorServer } = await import('@hono/node-server')
    listen(createAdaptorServer({ fetch: app.fetch }))
  } else {
    const { serve } = await import('@fcgi-bridge/fetch-adapter')
    announce(await serve(app, options))
  }
}

const options = { port: 0, host: '127.0.0.1', onError() {} }

function listen(server) {
  server.listen(0, '127.0.0.1', () => announce(server))
  // Tools export their last data on this signal.
  process.on('SIGTERM', () => server.close())
}

function announce(server) {
  console.log(`listening on ${server.address().port};`)
}
