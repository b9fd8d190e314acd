// The Fetch standard requires a Response to copy its bytes, because the app may change them later. For a large body, allocating the memory
// costs several times as much as copying the bytes, in page faults and major garbage collections. So the memory is reused.

// Bodies of these lengths (in bytes) are copied into reused memory. New memory for a shorter body is cheap. For a longer body, reuse gains
// little.
const LENGTH_MIN = 16 * 1024 + 1
const LENGTH_MAX = 1024 * 1024

// Limits of the memory that waits for reuse, in bytes and milliseconds.
const KEPT_MAX = 8 * 1024 * 1024
const KEPT_FOR = 1000

let kept: Buffer[] = []
let keptBytes = 0

/** Returns a copy of `bytes`. It may be in memory that {@link releaseCopy} took back. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  if (!isReusable(length)) return new Uint8Array(bytes)
  const memory = takeKept(length) ?? Buffer.allocUnsafeSlow(length)
  const copy = memory.length === length ? memory : memory.subarray(0, length)
  copy.set(bytes)
  return copy
}

/** Takes back the memory of a copy that {@link copyBytes} returned. No code may use the copy after this call. */
export function releaseCopy(copy: Uint8Array): void {
  const memory = Buffer.from(copy.buffer as ArrayBuffer)
  if (!isReusable(copy.length) || keptBytes + memory.length > KEPT_MAX) return
  if (kept.length === 0) setTimeout(forgetKept, KEPT_FOR).unref()
  kept.push(memory)
  keptBytes += memory.length
}

function isReusable(length: number): boolean {
  return length >= LENGTH_MIN && length <= LENGTH_MAX
}

// The memory that was released last is the most likely to be in a CPU cache.
function takeKept(length: number): Buffer | undefined {
  const index = kept.findLastIndex((memory) => memory.length >= length && memory.length <= 2 * length)
  if (index < 0) return undefined
  const [memory] = kept.splice(index, 1)
  keptBytes -= memory!.length
  return memory
}

function forgetKept(): void {
  kept = []
  keptBytes = 0
}
