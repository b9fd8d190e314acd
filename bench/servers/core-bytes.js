import { serve } from '@fcgi-bridge/core'
import { address, ready, variant } from './program.js'

// VARIANT: the length of each response in bytes.
const body = Buffer.alloc(Number(variant), 'x')
const headers = ['Content-Type', 'application/octet-stream', 'Content-Length', String(body.length)]

await serve((exchange) => {
  exchange.writeHead(200, headers)
  exchange.end(body)
}, address)
ready()
