// Reads all headers, because `node:http` builds the headers object only on demand.

import { createServer } from 'node:http'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

createServer((request, response) => {
  if (request.headers.host === undefined) throw new Error('The request has no headers.')
  response.writeHead(200, HEADERS)
  response.end(TEXT)
}).listen(address, ready)
