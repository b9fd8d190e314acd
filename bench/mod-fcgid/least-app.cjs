// The least app that Node can have behind mod_proxy_fcgi: it reads the headers of records, and writes a fixed response when STDIN has ended.

const { createServer } = require('node:net')

// FastCGI 1.0 section 8.
const FCGI_HEADER_LEN = 8
const FCGI_END_REQUEST = 3
const FCGI_STDIN = 5
const FCGI_STDOUT = 6

const response = Buffer.concat([
  record(FCGI_STDOUT, Buffer.from(`Content-Type: application/json\r\n\r\n{"pid":${process.pid}}`)),
  record(FCGI_STDOUT, Buffer.alloc(0)),
  record(FCGI_END_REQUEST, Buffer.alloc(8)),
])

createServer({ allowHalfOpen: true }, (socket) => {
  let held = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('end', () => socket.destroy())
  socket.on('data', (chunk) => {
    const data = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    let at = 0
    while (at + FCGI_HEADER_LEN <= data.length) {
      const length = data.readUInt16BE(at + 4)
      if (data[at + 1] === FCGI_STDIN && length === 0) {
        socket.end(response)
        return
      }
      const next = at + FCGI_HEADER_LEN + length + data[at + 6]
      if (next > data.length) break
      at = next
    }
    held = data.subarray(at)
  })
}).listen({ fd: 0 })

function record(type, content) {
  const header = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0])
  return Buffer.concat([header, content])
}
