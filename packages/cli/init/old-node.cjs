'use strict'
// Responds with a 500 page to the front server that started a Node that is too old for fcgi-bridge. It must run on Node 8, so it imports
// no other file of fcgi-bridge.

const net = require('net')

const PAGE =
  '500. The app could not be started. It needs Node 20.19 or later, and this is Node ' +
  process.versions.node +
  '.\nWrite the path of a newer one into the first line of app.fcgi.\n'

const RESPONSE =
  'Status: 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\r\n' +
  PAGE

// Record types (FastCGI 1.0 section 8).
const BEGIN_REQUEST = 1
const END_REQUEST = 3
const STDIN = 5
const STDOUT = 6

// Milliseconds. Then a new process can be another Node.
const SERVING = 5000

module.exports = () => {
  const timer = setTimeout(() => process.exit(1), SERVING)
  if (process.env.GATEWAY_INTERFACE) {
    process.stdout.write(RESPONSE)
    // Apache reports a failure if a CGI program does not read its input.
    process.stdin.resume()
    timer.unref()
  } else {
    net.createServer(serve).listen({ fd: 0 })
  }
}

// Responds to each request at the end of its STDIN.
function serve(socket) {
  let input = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    input = Buffer.concat([input, chunk])
    for (;;) {
      if (input.length < 8) return
      const length = input.readUInt16BE(4)
      const end = 8 + length + input[6]
      if (input.length < end) return
      const type = input[1]
      if (type === BEGIN_REQUEST && length === 8) socket.keepOpen = (input[10] & 1) === 1
      if (type === STDIN && length === 0) respond(socket, input.readUInt16BE(2))
      input = input.slice(end)
    }
  })
}

function respond(socket, id) {
  socket.write(
    Buffer.concat([
      record(STDOUT, id, Buffer.from(RESPONSE)),
      record(STDOUT, id, Buffer.alloc(0)),
      record(END_REQUEST, id, Buffer.alloc(8)),
    ]),
  )
  if (!socket.keepOpen) socket.end()
}

function record(type, id, content) {
  const header = Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, 0, 0])
  return Buffer.concat([header, content])
}
