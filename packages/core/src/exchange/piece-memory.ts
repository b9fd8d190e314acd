// Smaller pieces are rare, or create enough garbage in other ways.
const LARGE = 16 * 1024

// The garbage that a large piece leaves on V8's heap, as a share of its length.
const GARBAGE_SHARE = 1 / 2
const WORD = 8

/**
 * Allocates `length` bytes for a piece of a request body. A large piece also leaves some garbage on V8's heap. Buffers are stored
 * outside of the heap, and V8 starts a minor collection only after 32 MiB of them, which in a small heap causes a major collection
 * each time: half of an upload's CPU time. The garbage makes minor collections come earlier. They then free all pieces, and the
 * next ones reuse memory that is in the CPU's cache.
 */
export function allocatePiece(length: number): Buffer {
  if (length >= LARGE) leaveGarbage(Math.min(length, 4 * LARGE) * GARBAGE_SHARE)
  return Buffer.allocUnsafe(length)
}

// A call of native code costs as much as copying this many bytes one by one.
const TINY = 16

/** Copies `from[start, end)` to `to` at `at`. Returns the offset after the copy. A peer may send a record for each byte. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > TINY) return at + from.copy(to, at, start, end)
  for (let i = start; i < end; i++) to[at++] = from[i]!
  return at
}

// Assigning to it keeps the compiler from removing the allocation as unused.
const sink: unknown[] = [undefined]

function leaveGarbage(bytes: number): void {
  sink[0] = new Array(Math.floor(bytes / WORD))
  sink[0] = undefined
}
