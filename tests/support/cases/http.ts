import { once } from 'node:events'
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Origin } from '../fronts/front.ts'

export interface Ask {
  method?: string
  /** Fields as they go out, repeats and case kept: name, value, name, value… Host is added where it is missing. */
  headers?: readonly string[]
  /** With a length that is known, or told by `headers`. */
  body?: string | Buffer | Iterable<Buffer>
  /** A connection that is kept from one request to the next; without it each has its own. */
  agent?: Agent
  /** HTTPS with a server whose certificate, for `localhost`, is this one. */
  ca?: string
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
}

/**
 * Sends a request with the path and the fields exactly as given (fetch would normalise both); gives the
 * answer as soon as its head is there.
 */
export async function open(origin: Origin, path: string, ask: Ask = {}): Promise<IncomingMessage> {
  const { method = 'GET', headers = [], body, agent = false, ca } = ask
  const fields = ['Host', `${origin.host}:${origin.port}`]
  if (!agent) fields.push('Connection', 'close')
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    fields.push('Content-Length', String(Buffer.byteLength(body)))
  }
  // A field of the caller's stands in place of ours.
  const ours = fields.filter((_, index) => !has(headers, fields[index & ~1]!))
  const options = { ...origin, method, path, agent, headers: [...ours, ...headers] }
  const outgoing =
    ca === undefined ? request(options) : requestHttps({ ...options, ca, servername: 'localhost' })
  const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>
  // A server may answer, and close, before it has read all: the answer counts then, not the failed upload.
  const sent =
    typeof body === 'object' && !Buffer.isBuffer(body)
      ? pipeline(Readable.from(body), outgoing)
      : void outgoing.end(body)
  const [incoming] = await Promise.race([answered, rejectionOf(sent)])
  return incoming
}

/** Sends a request and reads the whole answer. Rejects when the answer is cut short. */
export async function send(origin: Origin, path: string, ask: Ask = {}): Promise<Answer> {
  const incoming = await open(origin, path, ask)
  const body = await readAll(incoming)
  return { status: incoming.statusCode!, headers: incoming.headers, body, text: body.toString() }
}

/** Everything that is left of a body. Rejects when the body is cut short. */
export async function readAll(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Reads on until the body has given `text`; gives what it read, which may be more. Rejects when it ends before. */
export async function readUntil(incoming: IncomingMessage, text: string): Promise<string> {
  let seen = ''
  while (!seen.includes(text)) {
    const chunk: Buffer | null = incoming.read()
    if (chunk !== null) seen += chunk.toString()
    else if (incoming.readableEnded)
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
