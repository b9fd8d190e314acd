import { PassThrough, Readable } from 'node:stream'

/** Whether `body` is a ReadableStream, be it another realm's or a polyfill's. */
export function isWebStream(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof (body as Partial<ReadableStream> | null | undefined)?.getReader === 'function'
}

/**
 * The Node stream that a body stands for which is neither bytes nor a ReadableStream: a Node stream, as node-fetch
 * has; an async iterable; what has nothing but `pipe` (React's renderToPipeableStream). Throws a TypeError for anything else.
 */
export function toNodeStream(body: unknown): Readable {
  if (body instanceof Readable) return body
  const source = body as Partial<Readable> & Abortable
  if (typeof source[Symbol.asyncIterator] === 'function') return Readable.from(body as AsyncIterable<unknown>)
  if (typeof source.pipe !== 'function') {
    throw new TypeError(
      `A response body that can not be sent: ${Object.prototype.toString.call(body)}. Give the Response a string, bytes, a Blob or a ReadableStream.`,
    )
  }
  const stream = new PassThrough()
  stream.once('close', () => {
    if (!stream.readableEnded) source.abort?.(stream.errored)
  })
  source.pipe(stream)
  return stream
}

interface Abortable {
  abort?(reason: unknown): void
}

/** Tells whoever makes the body of `response` that it will not be sent. Never throws. */
export function discardBody(response: unknown, reason: unknown): void {
  try {
    const body = (response as { body?: unknown } | null | undefined)?.body
    if (isWebStream(body)) {
      if (!body.locked) body.cancel(reason).catch(ignore)
    } else if (body instanceof Readable) {
      body.on('error', ignore)
      body.destroy()
    } else {
      ;(body as Abortable | null | undefined)?.abort?.(reason)
    }
  } catch {
    // A response that is dropped may be as broken as it likes.
  }
}

function ignore(): void {}
