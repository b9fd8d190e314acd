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

// What nobody could see, the compiler would leave out.
const seen: unknown[] = [undefined]

function leaveGarbage(bytes: number): void {
  seen[0] = new Array(Math.floor(bytes / WORD))
  seen[0] = undefined
}
