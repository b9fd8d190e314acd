import { AsyncResource } from 'node:async_hooks'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { hasStores } from './async-context.ts'

/** The largest read, in bytes. */
export const READ_SIZE: number = 64 * 1024

// A piece of this size or more is not copied out of a buffer that belongs to this connection. At worst it keeps four times its size
// alive.
const SLICE_MIN = READ_SIZE / 4

/**
 * Reads a connection. A net.Socket is read into one buffer that all connections share, like the option `onread` of
 * `new net.Socket()`, which Node does not offer for accepted sockets. A buffer per read would cost a quarter of the CPU time of a
 * small request. Call {@link take} to keep bytes beyond the call of `onChunk`. A connection that receives large pieces gets
 * buffers of its own, and the pieces are slices of them.
 */
export class SocketReader {
  readonly #socket: Duplex
  readonly #onChunk: (chunk: Buffer, length: number) => void
  readonly #isShared: boolean
  // The context in which the connection was accepted. Chunks are delivered in it, as Node's HTTP parser does.
  readonly #context = new AsyncResource('FCGI_CONNECTION')
  // Callbacks of the operating system have no context. A stream event has that of the request that resumed the stream.
  readonly #entersContext: boolean
  // The buffer of the next read.
  #buffer: Buffer = SHARED
  // The buffer is in use by a slice, or the pieces are large enough for a buffer of their own.
  #spent = false
  #unread: Buffer | undefined
  #puttingBack = false

  /** `onChunk` receives a buffer, of which the first `length` bytes were read. */
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

  /** `chunk[start, end)` in memory that stays valid. */
  take(chunk: Buffer, start: number, end: number): Buffer {
    const isLarge = end - start >= SLICE_MIN
    if (!this.#isShared || (isLarge && this.#buffer !== SHARED)) {
      this.#spent = true
      return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end)
    }
    if (isLarge) this.#spent = true
    return Buffer.from(chunk.subarray(start, end))
  }

  /** `onChunk` receives `chunk[start, end)`, the rest of the current chunk, again: before anything else, once the socket is not paused. */
  putBack(chunk: Buffer, start: number, end: number): void {
    this.#unread = Buffer.from(chunk.subarray(start, end))
    if (!this.#puttingBack) {
      this.#puttingBack = true
      this.#socket.on('resume', () => this.#readAgain())
      this.#socket.prependListener('end', () => {
        while (this.#unread !== undefined) this.#onUnread(EMPTY)
      })
    }
    process.nextTick(() => this.#readAgain())
  }

  // A socket may still deliver one read after it was paused.
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
    // An app that got the socket from the event 'connection' may listen to its data.
    if (this.#socket.listenerCount('data') > 0)
      this.#socket.emit('data', Buffer.from(buffer.subarray(0, length)))
  }

  // Called after each read. Undefined keeps the current buffer.
  #nextBuffer(): Buffer | undefined {
    if (this.#spent) this.#buffer = Buffer.allocUnsafeSlow(READ_SIZE)
    else if (this.#buffer === SHARED) return undefined
    else this.#buffer = SHARED
    this.#spent = false
    return this.#buffer
  }
}

const EMPTY = Buffer.alloc(0)

const SHARED: Buffer = Buffer.allocUnsafeSlow(READ_SIZE)

// ---- how lib/net.js and lib/internal/stream_base_commons.js of Node 20 to 26 implement `onread` ----

interface SocketInternals {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null
  [symbol: symbol]: unknown
}

// Own properties of every socket, null without `onread`. On Windows several reads may be pending at once, so they cannot share a
// buffer.
const INTERNALS: readonly (symbol | undefined)[] =
  process.platform === 'win32' ? [] : ['kBuffer', 'kBufferCb', 'kBufferGen'].map(findSymbol)

function findSymbol(description: string): symbol | undefined {
  const socket = new Socket() as unknown as SocketInternals
  return Object.getOwnPropertySymbols(socket).find(
    (symbol) => symbol.description === description && socket[symbol] === null,
  )
}

// False if it is not possible. Nothing has been changed then.
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
