import { isUint8Array } from 'node:util/types'
import type { Exchange, WriteCallback } from '@fcgi-bridge/core'
import { releaseCopy } from '../light/copies.ts'
import { takeResponse } from '../light/response.ts'
import {
  isRawResponse,
  isResponseLike,
  listHeaders,
  type RawResponse,
  type ResponseLike,
} from '../response-like.ts'
import { discardBody, isWebStream, toNodeStream } from './body-source.ts'
import { declaredLength } from './content-length.ts'
import { removeEncodingIfDecoded } from './decoded-response.ts'
import { type ResponseHead, sendWhole, writeHead } from './response-head.ts'
import { sendNodeStream } from './send-node-stream.ts'
import { sendStream } from './send-stream.ts'

/**
 * Sends the value that a handler returned. Never throws: a value that cannot be sent as a response fails the exchange. If the exchange has
 * already ended, drops the response and cancels its body.
 */
export function sendResponse(exchange: Exchange, response: unknown): void {
  if (exchange.ended) {
    discardBody(response, exchange.signal.reason)
    return
  }
  try {
    const parts = takeResponse(response)
    if (parts !== undefined) {
      const { body } = parts
      const onSent = isUint8Array(body) ? releaseWhenSent(body) : undefined
      sendBody(exchange, parts, body, onSent)
    } else if (isRawResponse(response)) sendRaw(exchange, response)
    else if (isResponseLike(response)) sendStandard(exchange, response)
    else throw new TypeError(notAResponse(response))
  } catch (error) {
    exchange.fail(error)
    discardBody(response, error)
  }
}

function sendStandard(exchange: Exchange, response: ResponseLike): void {
  const { status } = response
  if (status === 0) {
    throw new TypeError(
      'The fetch handler returned a Response.error(), which cannot be sent. Return another Response.',
    )
  }
  if (response.bodyUsed) throw new TypeError(BODY_USED)
  const head: ResponseHead = {
    status,
    headers: removeEncodingIfDecoded(response, listHeaders(response.headers)),
    reason: response.statusText,
  }
  sendBody(exchange, head, response.body)
}

// Reading a raw response empties it. Sending it a second time would send an empty 200.
const sentRaw = new WeakSet<RawResponse>()

function sendRaw(exchange: Exchange, response: RawResponse): void {
  if (sentRaw.has(response)) throw new TypeError(BODY_USED)
  sentRaw.add(response)
  const { status, statusText, headers, body } = response._toNodeResponse()
  const list: string[] = []
  for (const part of headers) list.push(String(part))
  try {
    sendBody(exchange, { status, headers: list, reason: statusText }, body)
  } catch (error) {
    discardBody({ body }, error)
    throw error
  }
}

function releaseWhenSent(copy: Uint8Array): WriteCallback {
  return (error) => {
    if (!error) releaseCopy(copy)
  }
}

// `onSent` is called only if bytes were sent.
function sendBody(exchange: Exchange, head: ResponseHead, body: unknown, onSent?: WriteCallback): void {
  const { status } = head
  if (exchange.method === 'HEAD' || status === 204 || status === 205 || status === 304) {
    declaredLength(head.headers)
    writeHead(exchange, head)
    exchange.end()
    discardBody({ body }, undefined)
  } else if (body === null || body === undefined) {
    sendWhole(exchange, head, '')
  } else if (typeof body === 'string' || isUint8Array(body)) {
    sendWhole(exchange, head, body, onSent)
  } else if (isWebStream(body)) {
    if (body.locked) throw new TypeError(BODY_USED)
    sendStream(exchange, head, body)
  } else {
    sendNodeStream(exchange, head, toNodeStream(body))
  }
}

const BODY_USED =
  'The body of this Response was already used: it was read, or the Response was sent before. Create a new Response for each request, or send response.clone().'

function notAResponse(value: unknown): string {
  const what =
    value === null || value === undefined
      ? String(value)
      : typeof value === 'object'
        ? `an object (${value.constructor?.name ?? 'without prototype'})`
        : `a ${typeof value}`
  return `The fetch handler returned ${what}, not a Response. Return a Response on every path, and check that no \`return\` or \`await\` is missing. Serve an Express app, or any other (req, res) listener, with @fcgi-bridge/express-adapter.`
}
