// Looks at all params and all headers, which core does not read before someone asks.

import { serve } from '@fcgi-bridge/core'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

await serve((exchange) => {
  if (exchange.params.REMOTE_ADDR === undefined || exchange.headers.length === 0)
    throw new Error('No params.')
  exchange.writeHead(200, HEADERS)
  exchange.end(TEXT)
}, address)
ready()
