import { Readable } from 'node:stream'
import * as undici from 'undici'

/** Receives the bytes of a body. */
export interface BodySink {
  /** False: wait for {@link BodySource.resume}. */
  write(chunk: Uint8Array): boolean
  end(): void
  fail(error: Error): void
}

/** Produces the bytes of a body that is not in memory. */
export interface BodySource {
  start(sink: BodySink): void
  resume(): void
  /** Nobody needs the rest. The sink receives nothing after this. */
  stop(error?: Error): void
}

/** A request body: its bytes, or the source of them. */
export interface Body {
  readonly bytes: Uint8Array | undefined
  readonly source: BodySource | undefined
  /** In bytes. Undefined if the body itself does not have a known length. */
  readonly length: number | undefined
  /** The media type that the body itself defines, such as that of a form, which contains the boundary. */
  readonly contentType: string | undefined
}

/**
 * Reads a body in any form that undici's `dispatch` takes: string, bytes, Node or web stream, iterable or async
 * iterable, Blob, FormData. Null when there is none. Throws undici's InvalidArgumentError for anything else.
 */
export function toBody(body: unknown): Body | null {
  if (body === null || body === undefined) return null
  if (typeof body === 'string') return ofBytes(Buffer.from(body))
  if (ArrayBuffer.isView(body)) return ofBytes(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
  if (body instanceof ArrayBuffer) return ofBytes(new Uint8Array(body))
  if (isStream(body)) return ofSource(new StreamSource(body))
  if (body instanceof Blob) {
    return ofSource(new IterableSource(body.stream()), body.type === '' ? undefined : body.type, body.size)
  }
  // The two FormData classes, that of Node and that of the undici package, each work only with the Response of their
  // own implementation.
  if (body instanceof undici.FormData) return ofForm(new undici.Response(body))
  if (body instanceof FormData) return ofForm(new Response(body))
  if (typeof body === 'object' && (Symbol.asyncIterator in body || Symbol.iterator in body)) {
    return ofSource(new IterableSource(body as AsyncIterable<unknown> | Iterable<unknown>))
  }
  throw new undici.errors.InvalidArgumentError(
    'body must be a string, bytes, a stream, an iterable, a Blob or FormData',
  )
}

function ofBytes(bytes: Uint8Array): Body {
  return { bytes, source: undefined, length: bytes.length, contentType: undefined }
}

function ofSource(source: BodySource, contentType?: string, length?: number): Body {
  return { bytes: undefined, source, length, contentType }
}

function ofForm(form: { body: unknown; headers: { get(name: string): string | null } }): Body {
  return ofSource(
    new IterableSource(form.body as AsyncIterable<unknown>),
    form.headers.get('content-type') ?? undefined,
  )
}

function isStream(body: unknown): body is Readable {
  return (
    body instanceof Readable ||
    (typeof body === 'object' && body !== null && typeof (body as Readable).pipe === 'function')
  )
}

function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return chunk
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  throw new TypeError(`A request body cannot contain a chunk of type ${typeof chunk}. Use strings or bytes.`)
}

class StreamSource implements BodySource {
  readonly #stream: Readable
  #sink: BodySink | undefined

  constructor(stream: Readable) {
    this.#stream = stream
    // A stream that fails before its request has a connection must not end the process. start() checks for the error.
    stream.on('error', this.#onError)
  }

  start(sink: BodySink): void {
    const stream = this.#stream
    this.#sink = sink
    if (stream.readableEnded) sink.end()
    else if (stream.destroyed) sink.fail(stream.errored ?? closedEarly())
    else {
      stream.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
      stream.resume()
    }
  }

  resume(): void {
    this.#stream.resume()
  }

  stop(error?: Error): void {
    this.#sink = undefined
    this.#stream.off('data', this.#onData)
    // The 'error' listener stays: destroy() makes the stream emit it.
    this.#stream.destroy(error)
  }

  readonly #onData = (chunk: unknown): void => {
    try {
      if (this.#sink?.write(toBytes(chunk)) === false) this.#stream.pause()
    } catch (error) {
      this.#sink?.fail(error as Error)
    }
  }

  readonly #onEnd = (): void => {
    this.#sink?.end()
    this.#sink = undefined
  }

  readonly #onError = (error: Error): void => {
    this.#sink?.fail(error)
  }

  readonly #onClose = (): void => {
    this.#sink?.fail(closedEarly())
  }
}

function closedEarly(): Error {
  return new undici.errors.RequestAbortedError('The request body was closed before its end.')
}

class IterableSource implements BodySource {
  readonly #iterable: AsyncIterable<unknown> | Iterable<unknown>
  #iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined
  #stopped = false
  #wake: (() => void) | undefined

  constructor(iterable: AsyncIterable<unknown> | Iterable<unknown>) {
    this.#iterable = iterable
  }

  start(sink: BodySink): void {
    this.#pump(sink).catch((error) => {
      if (!this.#stopped) sink.fail(error)
    })
  }

  resume(): void {
    this.#wake?.()
  }

  stop(error?: Error): void {
    this.#stopped = true
    this.#wake?.()
    // A pending next() ends first. An error in return() has no request left to fail.
    const iterable = this.#iterable
    const returned =
      this.#iterator === undefined && iterable instanceof ReadableStream
        ? iterable.cancel(error)
        : this.#iterator?.return?.()
    if (returned instanceof Promise) returned.catch(() => {})
  }

  async #pump(sink: BodySink): Promise<void> {
    const iterable = this.#iterable
    const iterator =
      Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]()
    this.#iterator = iterator
    while (!this.#stopped) {
      const { done, value } = await iterator.next()
      if (this.#stopped) return
      if (done) {
        this.#stopped = true
        sink.end()
      } else if (!sink.write(toBytes(value))) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
