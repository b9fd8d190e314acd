import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type Duplex, duplexPair } from 'node:stream'
import {
  FCGI_ABORT_REQUEST,
  FCGI_END_REQUEST,
  FCGI_PARAMS,
  FCGI_RESPONDER,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
} from '../protocol/constants.ts'
import { RecordDecoder } from '../protocol/decoder.ts'
import { encodeBeginRequest, encodeRecord, RECORD_CONTENT_MAX } from '../protocol/encoder.ts'
import { encodeNameValues } from '../protocol/name-values.ts'
import { reserveStandardOutput } from './cgi-output.ts'

const REQUEST_ID = 1
const EMPTY = new Uint8Array()

// How long (milliseconds) the rest of the request body is read after the response.
const LINGER = 30_000

/**
 * Serves the single request of a CGI program (RFC 3875). It reads the request from the environment and standard input, translates it to
 * FastCGI, and passes it to `accept`, so that the server handles it like any other. The response is written to standard output. A web
 * server aborts the request by closing the output or sending SIGTERM. mod_cgid does both when its client disconnects. Returns the exit
 * status when the response has been written.
 */
export async function serveCgi(accept: (stream: Duplex) => void): Promise<number> {
  const [front, app] = duplexPair()
  accept(app)
  const environment = readEnvironment()
  // HTTP_PROXY is the client's Proxy header (httpoxy), but many HTTP client libraries use this variable as their proxy.
  delete process.env.HTTP_PROXY
  front.write(encodeBeginRequest(REQUEST_ID, FCGI_RESPONDER, 0))
  sendStream(front, FCGI_PARAMS, encodeNameValues(environment))
  front.write(encodeRecord(FCGI_PARAMS, REQUEST_ID, EMPTY))

  const responded = writeResponse(front)
  let aborted = false
  const abort = (): void => {
    aborted = true
    if (!front.writableEnded) front.write(encodeRecord(FCGI_ABORT_REQUEST, REQUEST_ID, EMPTY))
  }
  process.stdout.on('error', abort)
  process.on('SIGTERM', abort)
  const body = sendBody(front, bodyLength(new Map(environment)), responded).catch(abort)
  const status = await responded
  // Apache writes the whole body before it reads the response. If the pipe closes earlier, it reports a failure and ignores the response.
  if (!aborted) await Promise.race([body, new Promise((resolve) => setTimeout(resolve, LINGER).unref())])
  return status
}

function writeResponse(front: Duplex): Promise<number> {
  const write = reserveStandardOutput()
  return new Promise((resolve) => {
    let appStatus = 1
    const decoder = new RecordDecoder({
      onStream(type, _requestId, chunk, start, end) {
        if (start === end) return
        const content = chunk.subarray(start, end)
        if (type === FCGI_STDERR) process.stderr.write(content)
        else if (type === FCGI_STDOUT && !write(content) && !process.stdout.destroyed) front.pause()
      },
      onDiscrete(type, _requestId, chunk, start) {
        if (type !== FCGI_END_REQUEST) return
        appStatus = chunk.readUInt32BE(start)
        front.end()
      },
    })
    for (const event of ['drain', 'error']) process.stdout.on(event, () => front.resume())
    front.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk)
      } catch {
        // The response is truncated. The exit status is 1, as set above.
        front.end()
      }
    })
    front.on('end', () => {
      if (process.stdout.writable) write('', () => resolve(appStatus))
      else resolve(appStatus)
    })
  })
}

// RFC 3875 section 4.2: a CGI program must not read more than CONTENT_LENGTH bytes, because the input may not end after them. Apache passes
// a chunked body on without its length, and ends the input.
function bodyLength(environment: ReadonlyMap<string, Uint8Array>): number {
  const contentLength = environment.get('CONTENT_LENGTH')
  if (contentLength !== undefined && contentLength.length > 0)
    return Number(Buffer.from(contentLength).toString('latin1'))
  return environment.has('HTTP_TRANSFER_ENCODING') ? Number.POSITIVE_INFINITY : 0
}

// Input that arrives after the response is read and dropped.
async function sendBody(front: Duplex, length: number, responded: Promise<unknown>): Promise<void> {
  let left = length
  if (left > 0) {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      const piece = chunk.subarray(0, Math.min(left, chunk.length))
      left -= piece.length
      if (!front.writableEnded && !sendStream(front, FCGI_STDIN, piece)) {
        await Promise.race([once(front, 'drain'), responded])
      }
      if (left === 0) break
    }
  }
  if (!front.writableEnded) front.write(encodeRecord(FCGI_STDIN, REQUEST_ID, EMPTY))
}

function sendStream(front: Duplex, type: number, content: Uint8Array): boolean {
  let more = true
  for (let at = 0; at < content.length; at += RECORD_CONTENT_MAX) {
    more = front.write(encodeRecord(type, REQUEST_ID, content.subarray(at, at + RECORD_CONTENT_MAX)))
  }
  return more
}

// process.env decodes the environment as UTF-8 and loses other bytes. On Linux, /proc has the bytes.
function readEnvironment(): [name: string, value: Uint8Array][] {
  let block: string
  try {
    block = readFileSync('/proc/self/environ', 'latin1')
  } catch {
    return Object.entries(process.env).map(([name, value]) => [name, Buffer.from(value!)])
  }
  return block
    .split('\0')
    .filter((variable) => variable.includes('='))
    .map((variable) => {
      const equals = variable.indexOf('=')
      return [variable.slice(0, equals), Buffer.from(variable.slice(equals + 1), 'latin1')]
    })
}
