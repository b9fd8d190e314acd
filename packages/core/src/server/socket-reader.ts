import { AsyncResource } from 'node:async_hooks'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { hasStores } from './async-context.ts'

/** Bytes that one read takes at most. */
export const READ_SIZE: number = 64 * 1024

// A piece of this size or more is not copied out of memory that is this connection's own: at worst it keeps four times
// its size.
const SLICE_MIN = READ_SIZE / 4

/**
 * Reads a connection. A socket of Node's is read into one buffer that all connections share, as `onread` of
 * `new net.Socket()` would have it, which Node does not offer for accepted sockets: memory of its own for each read
 * costs a quarter of what a small request costs in all. What is to outlive the call that hands it over has to be taken
 * with {@link take}. A connection that brings large pieces gets buffers of its own, which they are slices of.
 */
export class SocketReader {
  readonly #socket: Duplex
  readonly #onChunk: (chunk: Buffer, length: number) => void
  readonly #isShared: boolean
  // The context in which the connection was accepted: chunks are handed over in it, as Node's HTTP parser does.
  readonly #context = new AsyncResource('FCGI_CONNECTION')
  // Callbacks of the operating system have no context, stream events that of the request which resumed the stream.
  readonly #entersContext: boolean
  // What the next read is put into.
  #buffer: Buffer = SHARED
  // The buffer has been given away, or what came was worth one of its own.
  #spent = false
  // What was put back.
  #unread: Buffer | undefined
  #puttingBack = false

  /** `onChunk` gets what came as the first `length` bytes of a buffer. */
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

  /** `chunk[start, end)`, valid for ever. */
  take(chunk: Buffer, start: number, end: number): Buffer {
    const isLarge = end - start >= SLICE_MIN
    if (!this.#isShared || (isLarge && this.#buffer !== SHARED)) {
      this.#spent = true
      return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end)
    }
    if (isLarge) this.#spent = true
    return Buffer.from(chunk.subarray(start, end))
  }

  /** `chunk[start, end)`, the last of what came, comes once more: before all else, when the socket is not paused. */
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

  // A paused socket may deliver one more read.
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
    // Whoever got the socket with the event 'connection' may want to see what it brings.
    if (this.#socket.listenerCount('data') > 0)
      this.#socket.emit('data', Buffer.from(buffer.subarray(0, length)))
  }

  // Called behind each read; undefined leaves things as they are.
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

// ---- how lib/net.js and lib/internal/stream_base_commons.js of Node 20 to 26 do `onread` ----

interface SocketInternals {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null
  [symbol: symbol]: unknown
}

// Own properties of every socket, null on those without `onread`. Elsewhere than here a read may be under way while others
// are: the buffer can not be shared there.
const INTERNALS: readonly (symbol | undefined)[] =
  process.platform === 'win32' ? [] : ['kBuffer', 'kBufferCb', 'kBufferGen'].map(findSymbol)

function findSymbol(description: string): symbol | undefined {
  const socket = new Socket() as unknown as SocketInternals
  return Object.getOwnPropertySymbols(socket).find(
    (symbol) => symbol.description === description && socket[symbol] === null,
  )
}

// False where that is not possible: nothing was changed then.
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
