import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { createBody, type Exchange, type Handler } from '@fcgi-bridge/core'
import { pairs } from '../pairs.ts'

/** The header that asks the probe for something: the token, a blank, what it is to do. */
export const PROBE_HEADER = 'X-Fcgi-Bridge-Doctor'

/** The header of the probe's answers. */
export const PROBED_HEADER = 'x-fcgi-bridge-probe'

const PROBE_PARAM = 'HTTP_X_FCGI_BRIDGE_DOCTOR'

/**
 * What the probe is to do: `echo` tells what it was sent; `stream` sends one event, and another one after
 * {@link STREAM_PAUSE}; `status:N` and `head:BYTES` answer so.
 */
export type ProbeAction = 'echo' | 'stream' | `status:${number}` | `head:${number}`

/** What the probe tells whoever does not have the token. */
export const REFUSAL = 'This app is under examination by fcgi-bridge doctor.\n'

/** Milliseconds between the two events. */
export const STREAM_PAUSE = 2000

/** What the probe was sent. */
export interface Echo {
  params: [name: string, value: string][]
  keepConn: boolean
  /** Bytes of the body that came. */
  bodyBytes: number
}

/** A token that nobody can guess. */
export function createToken(): string {
  return randomBytes(16).toString('hex')
}

/**
 * The app that stands in for the one under examination: it tells whoever has the token what it was sent, and nobody else
 * anything.
 */
export function createProbe(token: string): Handler {
  return async (exchange) => {
    const [said, action = 'echo'] = exchange.param(PROBE_PARAM)?.split(' ') ?? []
    if (said !== token) {
      exchange.writeHead(503, ['Content-Type', 'text/plain'])
      exchange.end(REFUSAL)
      return
    }
    const [what, number] = action.split(':')
    if (what === 'stream') await stream(exchange)
    else if (what === 'status') answer(exchange, Number(number), '{"probe":true}')
    else if (what === 'head') answer(exchange, 200, '{}', ['X-Long', 'x'.repeat(Number(number))])
    else answer(exchange, 200, JSON.stringify(await echo(exchange)))
  }
}

/** Reads the answer of the probe; undefined where it is another's. */
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

// What comes of it: a body that is cut short is what the doctor wants to know of.
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

function answer(exchange: Exchange, status: number, body: string, headers: string[] = []): void {
  const always = ['Content-Type', 'application/json', 'Cache-Control', 'no-store', PROBED_HEADER, '1']
  exchange.writeHead(status, [...always, ...headers])
  exchange.end(body)
}
