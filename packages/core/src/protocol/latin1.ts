/**
 * Returns a copy of `chunk` as a string with one character (latin1) per byte. Returns undefined for a string with characters outside
 * ASCII, because it has more bytes than characters in UTF-8.
 */
export function toLatin1(chunk: Uint8Array | string): string | undefined {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk) === chunk.length ? chunk : undefined
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1')
}
