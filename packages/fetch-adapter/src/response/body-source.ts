import { PassThrough, Readable } from 'node:stream'

/** Returns whether `body` is a ReadableStream, including one of another realm or of a polyfill. */
export function isWebStream(body: unknown): body is ReadableStream<Uint8Array> {
  return typeof (body as Partial<ReadableStream> | null | undefined)?.getReader === 'function'
}

/**
 * Returns a Node stream for a body that is neither bytes nor a ReadableStream: a Node stream (node-fetch), an async iterable, or an object
 * with only a `pipe` method (React's renderToPipeableStream). Throws a TypeError for any other body.
 */
export function toNodeStream(body: unknown): Readable {
  if (body instanceof Readable) return body
  const source = body as Partial<Readable> & Abortable
  if (typeof source[Symbol.asyncIterator] === 'function') return Readable.from(body as AsyncIterable<unknown>)
  if (typeof source.pipe !== 'function') {
    throw new TypeError(
      `The response body is ${Object.prototype.toString.call(body)}, which cannot be sent. Use a string, bytes, a Blob or a ReadableStream.`,
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

/** Cancels the body of `response`, because it will not be sent. Never throws. */
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
    // The response is dropped, so its errors do not matter.
  }
}

function ignore(): void {}
