/** A latin1 string, a list of byte values, or bytes. */
export type Bytes = string | readonly number[] | Uint8Array

/** Concatenates `parts`. Strings are encoded as latin1. */
export function bytes(...parts: Bytes[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
  )
}
