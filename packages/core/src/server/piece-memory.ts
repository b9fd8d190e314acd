// Smaller pieces are few, or come with enough garbage of their own.
const LARGE = 16 * 1024

// Of the length of a large piece, what is left as garbage on V8's heap.
const GARBAGE_SHARE = 1 / 2
const WORD = 8

/**
 * Memory for `length` bytes of a body. V8 keeps it apart from its heap, and starts a collection of what is young when 32 MiB of it
 * are there; with a heap as small as a server's that is so much that a major collection follows each time. Half of an upload's
 * CPU time went there. So a large piece leaves garbage on the heap as well: the collection comes while little is there, takes
 * all of it, and the next pieces get memory that is warm.
 */
export function allocatePiece(length: number): Buffer {
  if (length >= LARGE) leaveGarbage(Math.min(length, 4 * LARGE) * GARBAGE_SHARE)
  return Buffer.allocUnsafe(length)
}

// A call of native code costs as much as copying this many bytes one by one.
const TINY = 16

/** Copies `from[start, end)` to `to`, from `at` on. Returns where the copy ends. A peer may send a record for each byte. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > TINY) return at + from.copy(to, at, start, end)
  for (let i = start; i < end; i++) to[at++] = from[i]!
  return at
}

// What nobody could see, the compiler would leave out.
const seen: unknown[] = [undefined]

function leaveGarbage(bytes: number): void {
  seen[0] = new Array(Math.floor(bytes / WORD))
  seen[0] = undefined
}
