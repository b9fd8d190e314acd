// One side of the comparison, in a thread with its own globals: a server of the fetch adapter, and a front server that
// sends it requests.

import { once } from 'node:events'
import { connect } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import {
  createServer,
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_END_REQUEST,
  FCGI_KEEP_CONN,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_STDOUT,
  RecordDecoder,
} from '@fcgi-bridge/core'
import { toHandler } from '@fcgi-bridge/fetch-adapter'
import { runScript, SERVER_MEMBERS } from './script.js'

let script
let steps
let errors

const handler = async (request) => {
  // A native Request has these as properties of its own.
  for (const name of SERVER_MEMBERS) delete request[name]
  const result = await runScript(script, request)
  steps = result.steps
  return result.response
}
const server = createServer(toHandler(handler, { overrideGlobalObjects: workerData.light }), {
  drainTimeout: 0,
  onError: (reason) => {
    const error = /** @type {Error} */ (reason)
    errors.push(`${error.name}: ${error.message}`)
  },
})
await server.listen({ port: 0, host: '127.0.0.1' })

let socket
let received
let finish

async function connected() {
  if (socket !== undefined && !socket.destroyed) return socket
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  const fresh = connect({ port, host: '127.0.0.1' })
  socket = fresh
  const decoder = new RecordDecoder({
    onStream: (type, _id, chunk, start, end) => {
      if (type === FCGI_STDOUT) received.push(Buffer.from(chunk.subarray(start, end)))
    },
    onDiscrete: (type) => {
      if (type === FCGI_END_REQUEST) finish('whole')
    },
  })
  fresh.on('data', (chunk) => decoder.push(chunk))
  fresh.on('error', () => {})
  fresh.on('close', () => {
    if (socket === fresh) finish('cut')
  })
  await once(fresh, 'connect')
  return fresh
}

async function outcomeOf(given) {
  script = given
  steps = []
  errors = []
  received = []
  const { method, target, body, type } = script.request
  const params = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'front.test',
    SERVER_PORT: '80',
    HTTP_HOST: 'front.test',
    HTTP_COOKIE: 'a=1',
    HTTP_X_TWO: ' 1 ',
    REMOTE_ADDR: '192.0.2.7',
    REQUEST_METHOD: method,
    REQUEST_URI: target,
    CONTENT_LENGTH: String(Buffer.byteLength(body)),
  }
  if (type !== undefined) params.CONTENT_TYPE = type
  const to = await connected()
  const ended = new Promise((resolve) => {
    finish = resolve
  })
  const parts = [
    encodeBeginRequest(1, FCGI_RESPONDER, FCGI_KEEP_CONN),
    encodeRecord(FCGI_PARAMS, 1, encodeNameValues(Object.entries(params))),
    encodeRecord(FCGI_PARAMS, 1, new Uint8Array()),
  ]
  if (body !== '') parts.push(encodeRecord(FCGI_STDIN, 1, Buffer.from(body)))
  to.write(Buffer.concat([...parts, encodeRecord(FCGI_STDIN, 1, new Uint8Array())]))
  const end = await ended
  return [...steps, `${end} ${sorted(Buffer.concat(received).toString('latin1')).slice(0, 2000)}`, ...errors]
}

// Native Headers are sorted by name, and light ones are in the order of the app. Their order has no meaning.
function sorted(output) {
  const end = output.indexOf('\r\n\r\n')
  const lines = output.slice(0, end).split('\r\n')
  const name = (line) => line.slice(0, line.indexOf(':'))
  lines.sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0))
  return lines.join('\r\n') + output.slice(end)
}

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort)
port.on('message', async (scripts) => {
  const outcomes = []
  for (const one of scripts) outcomes.push(await outcomeOf(one))
  port.postMessage(outcomes)
})
