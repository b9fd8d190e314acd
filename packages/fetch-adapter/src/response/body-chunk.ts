import { isAnyArrayBuffer, isUint8Array } from 'node:util/types'

/**
 * The bytes of a chunk of a response stream. The Fetch standard has Uint8Arrays only; like other servers this one takes
 * strings (as UTF-8), other views and ArrayBuffers, too. Undefined for anything else.
 */
export function bytesOf(chunk: unknown): Uint8Array | undefined {
  if (isUint8Array(chunk)) return chunk
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  return isAnyArrayBuffer(chunk) ? Buffer.from(chunk) : undefined
}

/** The error for a chunk that {@link bytesOf} does not take. */
export function notBytes(chunk: unknown): TypeError {
  const what =
    chunk === null || typeof chunk !== 'object' ? String(chunk) : Object.prototype.toString.call(chunk)
  return new TypeError(
    `A response stream gave ${what}. Give it Uint8Arrays or strings: serialize objects first, with JSON.stringify for instance.`,
  )
}
