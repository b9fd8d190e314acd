import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import {
  encodeBeginRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_END_REQUEST,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDIN,
  FCGI_STDOUT,
  RecordDecoder,
} from '@fcgi-bridge/core'

/**
 * A client's view of a response. `complete` is false if the response was cut off or missing.
 *
 * @typedef {{ status: number, reason: string, headers: string[][], body: string, complete: boolean }} ClientResponse
 */

/**
 * @typedef {object} Asked
 * @property {Promise<ClientResponse>} response
 * @property {Promise<void>} closed The connection is closed.
 * @property {(chunk: Buffer) => void} write
 * @property {() => void} end
 * @property {() => void} leave
 */

const EMPTY = Buffer.alloc(0)

// Headers of the connection or of the current time.
const LEFT_OUT = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding', 'trailer', 'status'])

function comparableHeaders(list) {
  const headers = []
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i].toLowerCase()
    if (!LEFT_OUT.has(name)) headers.push([name, list[i + 1]])
  }
  return headers.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/**
 * Sends a request to an HTTP server. `first` is sent together with the head.
 *
 * @returns {Asked}
 */
export function askHttp(port, { method, body, chunked, pieces }, first) {
  const headers = ['Host', 'example.test', 'Connection', 'keep-alive']
  if (chunked) headers.push('Transfer-Encoding', 'chunked')
  else if (body > 0 || method === 'POST' || method === 'PUT') headers.push('Content-Length', String(body))
  // Keep the connection open after the response, because Node's server continues to read the request body.
  const agent = new Agent({ keepAlive: true })
  const request = httpRequest({ host: '127.0.0.1', port, method, path: '/', headers, agent })
  const chunks = []
  const response = new Promise((resolve) => {
    const none = { status: 0, reason: '', headers: [], body: '', complete: false }
    request.on('error', () => resolve(none))
    request.on('response', (message) => {
      message.on('data', (chunk) => chunks.push(chunk))
      message.on('error', () => {})
      message.on('close', () => {
        resolve({
          status: message.statusCode,
          reason: message.statusMessage,
          headers: comparableHeaders(message.rawHeaders),
          body: Buffer.concat(chunks).toString('latin1'),
          complete: message.complete,
        })
      })
    })
  })
  if (pieces.length === 0) request.end(first)
  else if (first.length > 0) request.write(first)
  else request.flushHeaders()
  const closed = new Promise((resolve) => {
    request.on('socket', (socket) => socket.on('close', resolve))
  })
  return {
    response,
    closed,
    write: (chunk) => request.write(chunk),
    end: () => request.end(),
    leave: () => {
      request.destroy()
      agent.destroy()
    },
  }
}

/**
 * Sends a request to a FastCGI server.
 *
 * @returns {Asked}
 */
export function askFastCgi(port, { method, body, chunked, pieces }, first) {
  // The HTTP client sets noDelay, too. Without it, a second small piece waits until the first is acknowledged.
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const stdout = []
  let ended = false
  const decoder = new RecordDecoder({
    onStream(type, _id, chunk, start, end) {
      if (type === FCGI_STDOUT && start < end) stdout.push(Buffer.from(chunk.subarray(start, end)))
    },
    onDiscrete(type) {
      if (type !== FCGI_END_REQUEST) return
      ended = true
      socket.end()
    },
  })
  socket.on('data', (chunk) => decoder.push(chunk))
  socket.on('error', () => {})
  const response = new Promise((resolve) => {
    socket.on('close', () => resolve(readAnswer(Buffer.concat(stdout), ended)))
  })
  const params = {
    REQUEST_METHOD: method,
    REQUEST_URI: '/',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_ADDR: '127.0.0.1',
    REMOTE_ADDR: '127.0.0.1',
    HTTP_HOST: 'example.test',
    CONTENT_LENGTH: !chunked && (body > 0 || method === 'POST' || method === 'PUT') ? String(body) : '',
    ...(chunked && { HTTP_TRANSFER_ENCODING: 'chunked' }),
  }
  const stdin = (chunk) => {
    const records = []
    for (let at = 0; at < chunk.length; at += 32768) {
      records.push(encodeRecord(FCGI_STDIN, 1, chunk.subarray(at, at + 32768)))
    }
    return records
  }
  const eof = encodeRecord(FCGI_STDIN, 1, EMPTY)
  socket.write(
    Buffer.concat([
      encodeBeginRequest(1, FCGI_RESPONDER, 0),
      encodeRecord(FCGI_PARAMS, 1, encodeNameValues(Object.entries(params))),
      encodeRecord(FCGI_PARAMS, 1, EMPTY),
      ...stdin(first),
      ...(pieces.length === 0 ? [eof] : []),
    ]),
  )
  return {
    response,
    closed: new Promise((resolve) => {
      // The app may still emit events for a request that has ended for its client.
      socket.on('close', () => setTimeout(resolve, 20))
    }),
    write: (chunk) => socket.write(Buffer.concat(stdin(chunk))),
    end: () => socket.write(eof),
    leave: () => socket.destroy(),
  }
}

function readAnswer(bytes, ended) {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return { status: 0, reason: '', headers: [], body: '', complete: false }
  const headers = []
  let status = ''
  for (const line of bytes.toString('latin1', 0, headEnd).split('\r\n')) {
    const colon = line.indexOf(': ')
    const [name, value] = [line.slice(0, colon), line.slice(colon + 2)]
    if (name === 'Status') status = value
    // HTTP clients remove the blanks around it.
    else headers.push(name, value.trim())
  }
  return {
    status: Number.parseInt(status, 10),
    reason: status.slice(4),
    headers: comparableHeaders(headers),
    body: bytes.toString('latin1', headEnd + 4),
    complete: ended,
  }
}
