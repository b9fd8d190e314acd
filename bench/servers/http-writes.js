import { createServer } from 'node:http'
import { LINE, writesOf } from '../apps/writes.js'
import { address, ready } from './program.js'

createServer((request, response) => {
  let remaining = writesOf(request.url ?? '/')
  response.writeHead(200, ['Content-Type', 'text/plain'])
  const write = () => {
    while (remaining > 0) {
      remaining--
      if (!response.write(LINE)) return
    }
    response.end()
  }
  response.on('drain', write)
  write()
}).listen(address, ready)
