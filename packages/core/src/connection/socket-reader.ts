import { AsyncResource } from 'node:async_hooks'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { hasStores } from './async-context.ts'

/** The size of the read buffer, in bytes. */
export const READ_SIZE: number = 64 * 1024

// Pieces of at least this size are slices of the connection's own buffer, not copies. A slice keeps at most four times its size alive.
const SLICE_MIN = READ_SIZE / 4

/**
 * Reads from a connection's socket. All connections read into one shared buffer, because a buffer per read would cost a quarter of the
 * CPU time of a small request. Node has the option `onread` for this, but not for accepted sockets. Call {@link take} to keep bytes
 * after `onChunk` returns. A connection that receives large pieces gets buffers of its own, and the pieces are slices of them.
 */
export class SocketReader {
  readonly #socket: Duplex
  readonly #onChunk: (chunk: Buffer, length: number) => void
  readonly #isShared: boolean
  // The async context in which the connection was accepted. `onChunk` runs in it, like the callbacks of Node's HTTP parser.
  readonly #context = new AsyncResource('FCGI_CONNECTION')
  // True if the context must be entered. Read callbacks of the operating system have no context, but a stream event runs in the context
  // of the request that resumed the stream.
  readonly #entersContext: boolean
  // The buffer of the next read.
  #buffer: Buffer = SHARED
  // True if a slice uses the buffer, or the pieces are large enough for a buffer of the connection's own.
  #needsNewBuffer = false
  // Bytes that were put back and must be delivered again.
  #unread: Buffer | undefined
  #listensForResume = false

  /** `onChunk` receives a buffer whose first `length` bytes were read. */
  constructor(socket: Duplex, onChunk: (chunk: Buffer, length: number) => void) {
    this.#socket = socket
    this.#onChunk = onChunk
    this.#isShared = readInto(
      socket,
      SHARED,
      (length) => this.#onRead(length),
      () => this.#nextBuffer(),
    )
    this.#entersContext = !this.#isShared || hasStores(this.#context)
    if (!this.#isShared) socket.on('data', (chunk: Buffer) => this.#deliver(chunk, chunk.length))
  }

  /** Returns `chunk[start, end)` in memory that is never reused. */
  take(chunk: Buffer, start: number, end: number): Buffer {
    const isLarge = end - start >= SLICE_MIN
    if (!this.#isShared || (isLarge && this.#buffer !== SHARED)) {
      this.#needsNewBuffer = true
      return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end)
    }
    if (isLarge) this.#needsNewBuffer = true
    return Buffer.from(chunk.subarray(start, end))
  }

  /**
   * Puts back `chunk[start, end)`, the rest of the current chunk. `onChunk` receives it again, before any new data, when the socket is
   * not paused.
   */
  putBack(chunk: Buffer, start: number, end: number): void {
    this.#unread = Buffer.from(chunk.subarray(start, end))
    if (!this.#listensForResume) {
      this.#listensForResume = true
      this.#socket.on('resume', () => this.#readAgain())
      this.#socket.prependListener('end', () => {
        while (this.#unread !== undefined) this.#onUnread(EMPTY)
      })
    }
    process.nextTick(() => this.#readAgain())
  }

  // Data may arrive although the rest of a chunk was put back: a socket can deliver one read after it was paused.
  #deliver(chunk: Buffer, length: number): void {
    if (this.#unread === undefined) {
      if (this.#entersContext) this.#context.runInAsyncScope(this.#onChunk, undefined, chunk, length)
      else this.#onChunk(chunk, length)
    } else this.#onUnread(chunk.subarray(0, length))
  }

  #readAgain(): void {
    if (this.#unread !== undefined && !this.#socket.isPaused()) this.#onUnread(EMPTY)
  }

  #onUnread(more: Buffer): void {
    const all = Buffer.concat([this.#unread!, more])
    this.#unread = undefined
    this.#context.runInAsyncScope(this.#onChunk, undefined, all, all.length)
  }

  #onRead(length: number): void {
    const buffer = this.#buffer
    this.#deliver(buffer, length)
    // An app that received the socket from the event 'connection' may listen for 'data'.
    if (this.#socket.listenerCount('data') > 0)
      this.#socket.emit('data', Buffer.from(buffer.subarray(0, length)))
  }

  // Returns the buffer of the next read; undefined to keep the current one.
  #nextBuffer(): Buffer | undefined {
    if (this.#needsNewBuffer) this.#buffer = Buffer.allocUnsafeSlow(READ_SIZE)
    else if (this.#buffer === SHARED) return undefined
    else this.#buffer = SHARED
    this.#needsNewBuffer = false
    return this.#buffer
  }
}

const EMPTY = Buffer.alloc(0)

const SHARED: Buffer = Buffer.allocUnsafeSlow(READ_SIZE)

// ---- `onread` for accepted sockets: sets the fields that lib/net.js and lib/internal/stream_base_commons.js of Node 20 to 26 use ----

interface SocketInternals {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null
  [symbol: symbol]: unknown
}

// Every socket has these properties, which are null without `onread`. On Windows several reads can be pending at once, so they cannot
// share a buffer.
const INTERNALS: readonly (symbol | undefined)[] =
  process.platform === 'win32' ? [] : ['kBuffer', 'kBufferCb', 'kBufferGen'].map(findSymbol)

function findSymbol(description: string): symbol | undefined {
  const socket = new Socket() as unknown as SocketInternals
  return Object.getOwnPropertySymbols(socket).find(
    (symbol) => symbol.description === description && socket[symbol] === null,
  )
}

// Returns false, and changes nothing, if this stream or Node version does not support it.
function readInto(
  stream: Duplex,
  buffer: Buffer,
  onRead: (length: number) => void,
  nextBuffer: () => Buffer | undefined,
): boolean {
  const [kBuffer, kBufferCb, kBufferGen] = INTERNALS
  if (!(stream instanceof Socket) || !kBuffer || !kBufferCb || !kBufferGen) return false
  const socket = stream as unknown as SocketInternals
  if (typeof socket._handle?.useUserBuffer !== 'function') return false
  socket[kBuffer] = buffer
  socket[kBufferCb] = onRead
  socket[kBufferGen] = nextBuffer
  socket._handle.useUserBuffer(buffer)
  return true
}
