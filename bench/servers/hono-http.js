import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { app } from '../apps/hono.js'
import { address, ready, variant } from './program.js'

// VARIANT: `on` or `off`: whether to replace the global Request and Response. The library's default is on. Its own serve() does
// the same, but cannot listen on a Unix socket.
createServer(getRequestListener(app.fetch, { overrideGlobalObjects: variant === 'on' })).listen(
  address,
  ready,
)
