// Large response bodies for the Hono and Express apps.

import { Readable } from 'node:stream'

const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** @type {Map<number, Buffer<ArrayBuffer>>} */
const cached = new Map()

/** Returns `length` bytes in one Buffer, which is cached. @param {number} length */
export function bytes(length) {
  let buffer = cached.get(length)
  if (buffer === undefined) {
    buffer = Buffer.alloc(length, 'x')
    cached.set(length, buffer)
  }
  return buffer
}

/** Returns `length` bytes as a Node stream. @param {number} length */
export function nodeStream(length) {
  let remaining = length
  return new Readable({
    read() {
      const chunk = next(remaining)
      remaining -= chunk?.length ?? 0
      this.push(chunk)
    },
  })
}

/** Returns `length` bytes as a web stream. @param {number} length */
export function webStream(length) {
  let remaining = length
  return new ReadableStream({
    pull(controller) {
      const chunk = next(remaining)
      if (chunk === null) return controller.close()
      remaining -= chunk.length
      controller.enqueue(chunk)
    },
  })
}

function next(remaining) {
  if (remaining <= 0) return null
  return remaining >= CHUNK.length ? CHUNK : CHUNK.subarray(0, remaining)
}
