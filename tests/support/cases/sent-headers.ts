// The app gets the headers that the client sent, without those that the front server adds. node:http is the reference.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import { parsed } from '../apps/parsed.js'
import type { Traits } from '../fronts/front.ts'
import type { Case } from './case.ts'
import { sendRaw } from './raw-http.ts'

interface Sent {
  method: string
  headers: Record<string, string>
  body?: string
}

/** What the app reports. The fetch app reports only the first two. */
interface Received {
  method: string
  headers: Record<string, string>
  is?: unknown
  body?: unknown
  verified?: number
  /** The number of body bytes that no parser has read. */
  length?: number
}

const JSON_TYPE = { 'Content-Type': 'application/json' }
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' }
const EMPTY = { 'Content-Length': '0' }

const METHODS = ['GET', 'DELETE', 'OPTIONS', 'PROPFIND', 'POST', 'PUT', 'PATCH']
const WITH_BODY = ['POST', 'PUT', 'PATCH']

/** For servers that start a program for each request. */
const FEW: readonly Sent[] = [
  { method: 'GET', headers: {} },
  { method: 'DELETE', headers: JSON_TYPE },
  { method: 'POST', headers: {} },
  { method: 'POST', headers: { ...JSON_TYPE, ...EMPTY } },
  { method: 'PUT', headers: {}, body: 'a file' },
]

const ALL: readonly Sent[] = [
  ...METHODS.flatMap((method) => [{}, JSON_TYPE].map((headers) => ({ method, headers }))),
  ...METHODS.flatMap((method) => [{}, JSON_TYPE].map((type) => ({ method, headers: { ...type, ...EMPTY } }))),
  // curl -T, curl -d, and a form without a body.
  ...WITH_BODY.map((method) => ({ method, headers: {}, body: 'a=1&b=2' })),
  ...WITH_BODY.map((method) => ({ method, headers: FORM_TYPE, body: 'a=1&b=2' })),
  ...WITH_BODY.map((method) => ({ method, headers: { ...FORM_TYPE, ...EMPTY } })),
  { method: 'POST', headers: JSON_TYPE, body: '{"a":1}' },
]

export const sentHeaders: readonly Case[] = [
  {
    name: 'content-length and content-type are those that the client sent',
    async run({ origin, mode, app, path }) {
      const reference = createServer(parsed())
      reference.listen(0, '127.0.0.1')
      await once(reference, 'listening')
      try {
        const { port } = reference.address() as AddressInfo
        for (const sent of mode.traits.startsPerRequest ? FEW : ALL) {
          if (isRefused(sent, mode.traits)) continue
          const got = await ask(origin, path(app === 'express' ? '/parsed' : '/echo'), sent)
          const expected = await ask({ host: '127.0.0.1', port }, '/', forwardedBy(sent, mode.traits))
          const { method, headers } = expected
          expect({ sent, method: got.method, headers: got.headers }).toEqual({ sent, method, headers })
          if (app === 'express') expect({ sent, ...got }).toEqual({ sent, ...expected })
        }
      } finally {
        reference.close()
      }
    },
  },
]

async function ask(
  origin: { host: string; port: number },
  path: string,
  { method, headers, body }: Sent,
): Promise<Received> {
  const length = body === undefined ? {} : { 'Content-Length': String(body.length) }
  const fields = { Host: 'front.test', Connection: 'close', ...headers, ...length }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const { status, text } = await sendRaw(
    origin,
    `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`,
  )
  expect({ method, headers, status }, text).toEqual({ method, headers, status: 200 })
  const received: Received = JSON.parse(text)
  // The front server adds these headers.
  const clientHeaders = Object.entries(received.headers).filter(
    ([name]) => !/^(?:connection$|x-forwarded-|via$)/.test(name),
  )
  return { ...received, headers: Object.fromEntries(clientHeaders) }
}

function isRefused({ method, headers, body }: Sent, { requiresLengthOf }: Traits): boolean {
  return body === undefined && !('Content-Length' in headers) && requiresLengthOf?.includes(method) === true
}

/** The part of a request that the front server passes to the app. */
function forwardedBy(sent: Sent, { emptyLength, dropsBodyOf }: Traits): Sent {
  const { method, headers, body } = sent
  if (body !== undefined && dropsBodyOf.includes(method)) return { method, headers }
  if (emptyLength === 'as sent' || body !== undefined) return sent
  const { 'Content-Length': _, ...others } = headers
  return { method, headers: WITH_BODY.includes(method) ? { ...others, ...EMPTY } : others }
}
