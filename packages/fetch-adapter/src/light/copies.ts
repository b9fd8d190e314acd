// Fetch wants a Response to have bytes of its own: those that an app gives may change afterwards. Of a large body fresh memory
// for that costs several times what the copying does, in page faults and major garbage collections.

// Bodies of these lengths (bytes) are copied into memory that is used again. Shorter ones are copied once more when they are
// written, and cost little; of longer ones little is gained.
const LENGTH_MIN = 16 * 1024 + 1
const LENGTH_MAX = 1024 * 1024

// What waits to be used again: at most so many bytes, at most so long (milliseconds).
const KEPT_MAX = 8 * 1024 * 1024
const KEPT_FOR = 1000

let kept: Buffer[] = []
let keptBytes = 0

/** A copy of `bytes`, which may be in memory that {@link releaseCopy} has got back. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  if (!isReusable(length)) return new Uint8Array(bytes)
  const memory = takeKept(length) ?? Buffer.allocUnsafeSlow(length)
  const copy = memory.length === length ? memory : memory.subarray(0, length)
  copy.set(bytes)
  return copy
}

/** Takes back what {@link copyBytes} gave; nobody may refer to it any more. */
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

// The last first: it is the likeliest to be in a cache.
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
