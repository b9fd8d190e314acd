// The minimum in JavaScript: reads only the headers of records, and writes a fixed response when STDIN has ended. It does not
// parse the request.

import { createServer } from 'node:net'
import {
  encodeEndRequest,
  encodeRecord,
  FCGI_HEADER_LEN,
  FCGI_REQUEST_COMPLETE,
  FCGI_STDIN,
  FCGI_STDOUT,
} from '@fcgi-bridge/core'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

const head = `Status: 200\r\n${HEADERS[0]}: ${HEADERS[1]}\r\n${HEADERS[2]}: ${HEADERS[3]}\r\n\r\n`
const response = Buffer.concat([
  encodeRecord(FCGI_STDOUT, 1, Buffer.from(head + TEXT)),
  encodeRecord(FCGI_STDOUT, 1, Buffer.alloc(0)),
  encodeEndRequest(1, 0, FCGI_REQUEST_COMPLETE),
])

createServer({ noDelay: true }, (socket) => {
  let held = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    const data = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let at = 0
    while (at + FCGI_HEADER_LEN <= data.length) {
      const length = (data[at + 4] << 8) | data[at + 5]
      const next = at + FCGI_HEADER_LEN + length + data[at + 6]
      if (next > data.length) break
      if (data[at + 1] === FCGI_STDIN && length === 0) socket.write(response)
      at = next
    }
    held = at === data.length ? Buffer.alloc(0) : data.subarray(at)
  })
  socket.on('error', () => {})
}).listen(address, ready)
