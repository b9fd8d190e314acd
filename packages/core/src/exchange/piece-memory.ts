// Smaller pieces either are rare or create enough garbage in other ways.
const LARGE = 16 * 1024

// How much garbage to create on V8's heap for a large piece, as a share of its length.
const GARBAGE_SHARE = 1 / 2
const WORD = 8

/**
 * Allocates `length` bytes for a piece of a request body. For a large piece it also creates some garbage on V8's heap, so that minor
 * collections run earlier. Buffers are stored outside of the heap, and V8 starts a minor collection only after 32 MiB of them. In a
 * small heap that causes a major collection each time, which took half of an upload's CPU time. The early minor collections free all
 * pieces, and the next pieces reuse memory that is still in the CPU's cache.
 */
export function allocatePiece(length: number): Buffer {
  if (length >= LARGE) createGarbage(Math.min(length, 4 * LARGE) * GARBAGE_SHARE)
  return Buffer.allocUnsafe(length)
}

// A native copy of this many bytes costs as much as copying them one by one in JavaScript.
const TINY = 16

/** Copies `from[start, end)` to offset `at` of `to`. Returns the offset after the copy. It is fast for records of one byte, too. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > TINY) return at + from.copy(to, at, start, end)
  for (let i = start; i < end; i++) to[at++] = from[i]!
  return at
}

// Assign the garbage to this array, or the compiler removes the allocation as unused.
const sink: unknown[] = [undefined]

function createGarbage(bytes: number): void {
  sink[0] = new Array(Math.floor(bytes / WORD))
  sink[0] = undefined
}
