// Looks at all headers, of which `node:http` makes an object when someone asks.

import { createServer } from 'node:http'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

createServer((request, response) => {
  if (request.headers.host === undefined) throw new Error('No headers.')
  response.writeHead(200, HEADERS)
  response.end(TEXT)
}).listen(address, ready)
