import { createServer } from 'node:http'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

createServer((_request, response) => {
  response.writeHead(200, HEADERS)
  response.end(TEXT)
}).listen(address, ready)
