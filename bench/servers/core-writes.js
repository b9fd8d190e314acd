import { serve } from '@fcgi-bridge/core'
import { LINE, writesOf } from '../apps/writes.js'
import { address, ready } from './program.js'

await serve((exchange) => {
  let remaining = writesOf(exchange.target)
  exchange.writeHead(200, ['Content-Type', 'text/plain'])
  const write = () => {
    while (remaining > 0) {
      remaining--
      if (!exchange.write(LINE)) return
    }
    exchange.end()
  }
  exchange.onDrain = write
  write()
}, address)
ready()
