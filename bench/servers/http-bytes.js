import { createServer } from 'node:http'
import { address, ready, variant } from './program.js'

// VARIANT: the length of each response in bytes.
const body = Buffer.alloc(Number(variant), 'x')
const headers = ['Content-Type', 'application/octet-stream', 'Content-Length', String(body.length)]

createServer((_request, response) => {
  response.writeHead(200, headers)
  response.end(body)
}).listen(address, ready)
