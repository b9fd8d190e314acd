import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import {
  BodyCollector,
  bodyOf,
  type Client,
  type ClientExchange,
  type ClientRequest,
  type ClientResponse,
  comparableHeaders,
} from './client.ts'

/** Creates a client of an HTTP server on `port`. It keeps connections open, as a reverse proxy does. */
export function createHttpClient(port: number): Client {
  const agent = new Agent({ keepAlive: true })
  return {
    send: (request = {}) => send(agent, port, request),
    close: async () => agent.destroy(),
  }
}

function send(agent: Agent, port: number, options: ClientRequest): ClientExchange {
  const { method = 'GET', path = '/', headers = [], streamed = false } = options
  const body = bodyOf(options)
  const sent = ['Host', 'example.test', ...headers]
  if (body !== undefined) sent.push('Content-Length', String(Buffer.byteLength(body)))
  else if (streamed && !headers.some((name) => /^content-length$/i.test(name)))
    sent.push('Transfer-Encoding', 'chunked')
  const request = httpRequest({ agent, host: '127.0.0.1', port, method, path, headers: sent as never })
  const collector = new BodyCollector()
  let incoming: IncomingMessage | undefined
  let paused = false

  const head = new Promise<number>((resolve) => {
    request.once('response', ({ statusCode }) => resolve(statusCode!))
    request.once('error', () => resolve(0))
  })
  const response = new Promise<ClientResponse>((resolve) => {
    request.on('error', () => {
      if (incoming === undefined)
        resolve({ status: 0, reason: '', headers: [], body: Buffer.alloc(0), complete: false })
    })
    request.on('response', (message) => {
      incoming = message
      if (paused) message.pause()
      message.on('data', (chunk: Buffer) => collector.push(chunk))
      message.on('error', () => {})
      message.on('close', () => {
        resolve({
          status: message.statusCode!,
          reason: message.statusMessage!,
          headers: comparableHeaders(message.rawHeaders),
          body: collector.bytes,
          complete: message.complete,
        })
      })
    })
  })
  if (streamed) request.flushHeaders()
  else request.end(body)
  return {
    head,
    response,
    received: (text) => collector.received(text),
    write: (chunk) => {
      request.write(chunk)
    },
    end: () => {
      request.end()
    },
    abort: () => {
      request.destroy()
    },
    pause: () => {
      paused = true
      incoming?.pause()
    },
    resume: () => {
      paused = false
      incoming?.resume()
    },
  }
}
