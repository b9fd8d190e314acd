// Large response bodies for the Hono and Express apps.

import { Readable } from 'node:stream'

const PIECE = Buffer.alloc(64 * 1024, 'x')

/** @type {Map<number, Buffer<ArrayBuffer>>} */
const whole = new Map()

/** Returns `length` bytes in one Buffer, which is cached. @param {number} length */
export function bytes(length) {
  let buffer = whole.get(length)
  if (buffer === undefined) {
    buffer = Buffer.alloc(length, 'x')
    whole.set(length, buffer)
  }
  return buffer
}

/** Returns `length` bytes as a Node stream. @param {number} length */
export function nodeStream(length) {
  let left = length
  return new Readable({
    read() {
      const piece = next(left)
      left -= piece?.length ?? 0
      this.push(piece)
    },
  })
}

/** Returns `length` bytes as a web stream. @param {number} length */
export function webStream(length) {
  let left = length
  return new ReadableStream({
    pull(controller) {
      const piece = next(left)
      if (piece === null) return controller.close()
      left -= piece.length
      controller.enqueue(piece)
    },
  })
}

function next(left) {
  if (left <= 0) return null
  return left >= PIECE.length ? PIECE : PIECE.subarray(0, left)
}
