import { once } from 'node:events'
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Origin } from '../fronts/front.ts'

export interface TestRequest {
  method?: string
  /**
   * Header fields as they are sent, including repeats and case: [name, value, name, value…]. Host is added if it is
   * missing.
   */
  headers?: readonly string[]
  /** A body of known length. For an iterable, `headers` must contain the length. */
  body?: string | Buffer | Iterable<Buffer>
  /** An agent for keep-alive connections. Without it each request uses a new connection. */
  agent?: Agent
  /** Use HTTPS, and trust this certificate for `localhost`. */
  ca?: string
}

export interface TestResponse {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
}

/**
 * Sends a request with the path and the fields exactly as given, which fetch would normalise. Resolves with the
 * response when its head has arrived.
 */
export async function open(origin: Origin, path: string, toSend: TestRequest = {}): Promise<IncomingMessage> {
  const { method = 'GET', headers = [], body, agent = false, ca } = toSend
  const fields = ['Host', `${origin.host}:${origin.port}`]
  if (!agent) fields.push('Connection', 'close')
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    fields.push('Content-Length', String(Buffer.byteLength(body)))
  }
  // The caller's field replaces the default.
  const ours = fields.filter((_, index) => !has(headers, fields[index & ~1]!))
  const options = { ...origin, method, path, agent, headers: [...ours, ...headers] }
  const outgoing =
    ca === undefined ? request(options) : requestHttps({ ...options, ca, servername: 'localhost' })
  const responded = once(outgoing, 'response') as Promise<[IncomingMessage]>
  // `once` stops listening at the response. If a later error makes the response incomplete, reading it rejects.
  outgoing.on('error', () => {})
  // A server may respond and close before it has read the body. Then the response counts, not the failed upload.
  const sent =
    typeof body === 'object' && !Buffer.isBuffer(body)
      ? pipeline(Readable.from(body), outgoing)
      : void outgoing.end(body)
  const [incoming] = await Promise.race([responded, rejectionOf(sent)])
  return incoming
}

/** Sends a request and reads the whole response. Rejects if the response is incomplete. */
export async function send(origin: Origin, path: string, toSend: TestRequest = {}): Promise<TestResponse> {
  const incoming = await open(origin, path, toSend)
  const body = await readAll(incoming)
  return { status: incoming.statusCode!, headers: incoming.headers, body, text: body.toString() }
}

/** Reads the rest of a body. Rejects if the body is incomplete. */
export async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Reads until `text` has arrived. Returns all that it read, which may be more. Rejects if the body ends first. */
export async function readUntil(incoming: IncomingMessage, text: string): Promise<string> {
  let seen = ''
  while (!seen.includes(text)) {
    const chunk: Buffer | null = incoming.read()
    if (chunk !== null) seen += chunk.toString()
    else if (incoming.readableEnded || incoming.destroyed)
      throw new Error(`The body ended without ${JSON.stringify(text)}: ${seen}`)
    else await Promise.race([once(incoming, 'readable'), once(incoming, 'end')])
  }
  return seen
}

function has(headers: readonly string[], name: string): boolean {
  return headers.some((field, index) => index % 2 === 0 && field.toLowerCase() === name.toLowerCase())
}

// Never settles unless `promise` rejects.
function rejectionOf(promise: Promise<void> | undefined): Promise<never> {
  return new Promise((_, reject) => promise?.catch(reject))
}
