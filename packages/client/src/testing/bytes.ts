import { createHash, type Hash } from 'node:crypto'

const PIECE = Buffer.from(Uint8Array.from({ length: 100_003 }, (_, i) => (i * 7919 + (i >> 8)) & 0xff))

/** Yields `length` bytes in pieces of an odd size. The bytes are the same every time. */
export function* pieces(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= PIECE.length)
    yield PIECE.subarray(0, Math.min(left, PIECE.length))
}

/** The SHA-256 of some pieces, in hex. */
export async function hash(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const sum: Hash = createHash('sha256')
  for await (const chunk of chunks) sum.update(chunk)
  return sum.digest('hex')
}
