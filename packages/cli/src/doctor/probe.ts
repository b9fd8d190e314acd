import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createBody, type Exchange, type Handler } from '@fcgi-bridge/core'
import { pairs } from '../pairs.ts'

/** The request header for the probe. Its value is the token, a space, and a {@link ProbeAction}. */
export const PROBE_REQUEST_HEADER = 'X-Fcgi-Bridge-Doctor'

/** The header that marks a response of the probe. */
export const PROBE_RESPONSE_HEADER = 'x-fcgi-bridge-probe'

const PROBE_PARAM = 'HTTP_X_FCGI_BRIDGE_DOCTOR'

/**
 * How the probe responds. `echo`: with what it received, as an {@link Echo}. `stream`: with one event, and another one after
 * {@link STREAM_PAUSE}. `status:N`: with that status. `head:BYTES`: with a header of that size.
 */
export type ProbeAction = 'echo' | 'stream' | `status:${number}` | `head:${number}`

/** The body of the probe's response to a request without the token. */
export const REFUSAL = 'This app is under examination by fcgi-bridge doctor.\n'

/** Milliseconds between the two events. */
export const STREAM_PAUSE = 2000

/** A request as the probe received it. */
export interface Echo {
  params: [name: string, value: string][]
  /** The front server keeps the connection open for the next request (FCGI_KEEP_CONN). */
  keepConn: boolean
  /** The size of the request body in bytes. */
  bodyBytes: number
}

/** Creates a random token. */
export function createToken(): string {
  return randomBytes(16).toString('hex')
}

/** Creates the app that replaces the examined one. Only a client that sends the token learns what the app received. */
export function createProbe(token: string): Handler {
  return async (exchange) => {
    const [given, action = 'echo'] = exchange.param(PROBE_PARAM)?.split(' ') ?? []
    if (given !== token) {
      exchange.writeHead(503, ['Content-Type', 'text/plain'])
      exchange.end(REFUSAL)
      return
    }
    const [what, number] = action.split(':')
    if (what === 'stream') await stream(exchange)
    else if (what === 'status') respond(exchange, Number(number), '{"probe":true}')
    else if (what === 'head') respond(exchange, 200, '{}', ['X-Long', 'x'.repeat(Number(number))])
    else respond(exchange, 200, JSON.stringify(await echo(exchange)))
  }
}

/** Parses a response of the probe. Returns undefined if something else responded. */
export function parseEcho(text: string): Echo | undefined {
  try {
    const echo = JSON.parse(text)
    return Array.isArray(echo?.params) ? echo : undefined
  } catch {
    return undefined
  }
}

async function echo(exchange: Exchange): Promise<Echo> {
  const { rawParams, keepConn } = exchange
  return { params: pairs(rawParams), keepConn, bodyBytes: await countBody(exchange) }
}

// Ignores errors: the doctor needs the number of bytes of a truncated body, too.
async function countBody(exchange: Exchange): Promise<number> {
  let bytes = 0
  try {
    for await (const chunk of createBody(exchange.stdin)) bytes += chunk.length
  } catch {}
  return bytes
}

async function stream(exchange: Exchange): Promise<void> {
  exchange.writeHead(200, ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-cache'])
  exchange.write('data: first\n\n')
  await setTimeout(STREAM_PAUSE)
  exchange.end('data: last\n\n')
}

function respond(exchange: Exchange, status: number, body: string, headers: string[] = []): void {
  const always = ['Content-Type', 'application/json', 'Cache-Control', 'no-store', PROBE_RESPONSE_HEADER, '1']
  exchange.writeHead(status, [...always, ...headers])
  exchange.end(body)
}
