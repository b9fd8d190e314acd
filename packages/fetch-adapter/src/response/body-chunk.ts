import { isAnyArrayBuffer, isUint8Array } from 'node:util/types'

/**
 * Returns the bytes of a chunk of a response stream. The Fetch standard allows only Uint8Arrays. Like other servers, this one also accepts
 * strings (as UTF-8), other views and ArrayBuffers. Undefined for any other value.
 */
export function bytesOf(chunk: unknown): Uint8Array | undefined {
  if (isUint8Array(chunk)) return chunk
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  return isAnyArrayBuffer(chunk) ? Buffer.from(chunk) : undefined
}

/** The error for a chunk that {@link bytesOf} does not accept. */
export function notBytesError(chunk: unknown): TypeError {
  const what =
    chunk === null || typeof chunk !== 'object' ? String(chunk) : Object.prototype.toString.call(chunk)
  return new TypeError(
    `A response stream has a chunk that is ${what}. Enqueue Uint8Arrays or strings. Serialize objects first, for example with JSON.stringify.`,
  )
}
