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

// Milliseconds for what is left of the body when the answer is out.
const LINGER = 30_000

/**
 * Answers the one request of a CGI program (RFC 3875): environment and standard input in, standard output out. It is
 * translated to FastCGI and given to `accept`, so that one way leads through the server. A web server that closes the
 * output, or sends SIGTERM (mod_cgid does both when its client has gone), aborts the request. Settles with the exit
 * status when the answer is written.
 */
export async function answerCgi(accept: (stream: Duplex) => void): Promise<number> {
  const [front, app] = duplexPair()
  accept(app)
  const environment = readEnvironment()
  // It is what the client says in a Proxy header (httpoxy), and many HTTP clients take it for the proxy to use.
  delete process.env.HTTP_PROXY
  front.write(encodeBeginRequest(REQUEST_ID, FCGI_RESPONDER, 0))
  sendStream(front, FCGI_PARAMS, encodeNameValues(environment))
  front.write(encodeRecord(FCGI_PARAMS, REQUEST_ID, EMPTY))

  const answered = readAnswer(front)
  let aborted = false
  const abort = (): void => {
    aborted = true
    if (!front.writableEnded) front.write(encodeRecord(FCGI_ABORT_REQUEST, REQUEST_ID, EMPTY))
  }
  process.stdout.on('error', abort)
  process.on('SIGTERM', abort)
  const body = sendBody(front, bodyLength(new Map(environment)), answered).catch(abort)
  const status = await answered
  // Apache writes the whole body before it reads: a pipe that closes before is a failure to it, whatever the answer.
  if (!aborted) await Promise.race([body, new Promise((resolve) => setTimeout(resolve, LINGER).unref())])
  return status
}

function readAnswer(front: Duplex): Promise<number> {
  const write = reserveStandardOutput()
  return new Promise((resolve) => {
    let appStatus = 1
    const decoder = new RecordDecoder({
      onStream(type, _requestId, chunk, start, end) {
        if (start === end) return
        const content = chunk.subarray(start, end)
        if (type === FCGI_STDERR) process.stderr.write(content)
        else if (type === FCGI_STDOUT && !write(content) && !process.stdout.destroyed) {
          front.pause()
          process.stdout.once('drain', () => front.resume())
          process.stdout.once('error', () => front.resume())
        }
      },
      onDiscrete(type, _requestId, chunk, start) {
        if (type !== FCGI_END_REQUEST) return
        appStatus = chunk.readUInt32BE(start)
        front.end()
      },
    })
    front.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk)
      } catch {
        // The answer was cut: what has gone out is all there is, and the exit status says so.
        front.end()
      }
    })
    front.on('end', () => {
      if (process.stdout.writable) write('', () => resolve(appStatus))
      else resolve(appStatus)
    })
  })
}

// RFC 3875 section 4.2: a CGI program reads CONTENT_LENGTH bytes and no more, for the input may not end behind them. Apache
// passes a chunked body on without its length, and ends it.
function bodyLength(environment: ReadonlyMap<string, Uint8Array>): number {
  const contentLength = environment.get('CONTENT_LENGTH')
  if (contentLength !== undefined && contentLength.length > 0)
    return Number(Buffer.from(contentLength).toString('latin1'))
  return environment.has('HTTP_TRANSFER_ENCODING') ? Number.POSITIVE_INFINITY : 0
}

// What comes when the answer has ended is read and dropped.
async function sendBody(front: Duplex, length: number, answered: Promise<unknown>): Promise<void> {
  let left = length
  if (left > 0) {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      const piece = chunk.subarray(0, Math.min(left, chunk.length))
      left -= piece.length
      if (!front.writableEnded && !sendStream(front, FCGI_STDIN, piece)) {
        await Promise.race([once(front, 'drain'), answered])
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

// process.env reads the environment as UTF-8 and loses what is not; Linux has the bytes.
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
