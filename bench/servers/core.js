import { serve } from '@fcgi-bridge/core'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

await serve((exchange) => {
  exchange.writeHead(200, HEADERS)
  exchange.end(TEXT)
}, address)
ready()
