// Reads all params and all headers, because core parses them only on demand.

import { serve } from '@fcgi-bridge/core'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

await serve((exchange) => {
  if (exchange.params.REMOTE_ADDR === undefined || exchange.headers.length === 0)
    throw new Error('The request has no params.')
  exchange.writeHead(200, HEADERS)
  exchange.end(TEXT)
}, address)
ready()
