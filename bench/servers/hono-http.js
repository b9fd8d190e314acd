import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { app } from '../apps/hono.js'
import { address, ready, variant } from './program.js'

// VARIANT: `on` or `off`, whether the global Request and Response are replaced; on is the library's default. Its own serve()
// does the same, but listens on no Unix socket.
createServer(getRequestListener(app.fetch, { overrideGlobalObjects: variant === 'on' })).listen(
  address,
  ready,
)
