// Responds with the bytes that its query contains in base64url, like an app without a library. `/seen` reports its
// params, and `/again` redirects to itself. It listens on the path in FCGI_BRIDGE_LISTEN, or on fd 0.
import { createServer } from 'node:net'
import {
  decodeNameValues,
  encodeEndRequest,
  encodeRecord,
  FCGI_BEGIN_REQUEST,
  FCGI_PARAMS,
  FCGI_STDIN,
  FCGI_STDOUT,
  RecordDecoder,
} from '@fcgi-bridge/core'

const server = createServer((socket) => {
  const decoder = new RecordDecoder(sinkOf(socket))
  socket.on('data', (chunk) => decoder.push(chunk)).on('error', () => {})
})
const path = process.env.FCGI_BRIDGE_LISTEN
server.listen(path ? { path } : { fd: 0 }, () => console.log(`listening on ${JSON.stringify(path)}`))
for (const signal of ['SIGTERM', 'SIGUSR1']) process.on(signal, () => process.exit())

function sinkOf(socket) {
  const requests = new Map()
  return {
    onDiscrete(type, id, chunk, start) {
      if (type === FCGI_BEGIN_REQUEST)
        requests.set(id, { keepConn: (chunk[start + 2] & 1) === 1, params: [] })
    },
    onStream(type, id, chunk, start, end) {
      const request = requests.get(id)
      if (type === FCGI_PARAMS) request?.params.push(Buffer.from(chunk.subarray(start, end)))
      if (type !== FCGI_STDIN || start !== end || request === undefined) return
      requests.delete(id)
      const { keepConn, params } = request
      const response = responseTo(Object.fromEntries(decodeNameValues(Buffer.concat(params))))
      socket.write(encodeRecord(FCGI_STDOUT, id, Buffer.from(response)))
      socket.write(encodeEndRequest(id, 0, 0))
      if (!keepConn) socket.end()
    },
  }
}

function responseTo(params) {
  const path = params.SCRIPT_NAME + (params.PATH_INFO ?? '')
  if (path === '/again') return 'Location: /again\r\n\r\n'
  if (path !== '/seen') return Buffer.from(params.QUERY_STRING, 'base64url')
  return `Status: 200 OK\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(params)}`
}
