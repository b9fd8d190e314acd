import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { WriteProgress } from './write-progress.ts'

/** A socket with the fields that WriteProgress reads. */
function socketOf(bytesWritten: number, writableLength: number) {
  return { bytesWritten, writableLength } as Duplex & { writableLength: number; bytesWritten: number }
}

test('without progress, the time counts from the beginning of the connection', () => {
  const progress = new WriteProgress(socketOf(100, 100), 1000)
  expect([progress.lastTick(1001), progress.lastTick(1002)]).toEqual([1000, 1000])
})

test('bytes that the peer reads are progress, more bytes from the app are not, and an empty buffer counts as progress', () => {
  const socket = socketOf(100, 100)
  const progress = new WriteProgress(socket, 1)
  Object.assign(socket, { writableLength: 60 })
  expect(progress.lastTick(2)).toBe(2)
  Object.assign(socket, { bytesWritten: 200, writableLength: 160 })
  expect(progress.lastTick(3)).toBe(2)
  Object.assign(socket, { writableLength: 0 })
  expect([progress.lastTick(4), progress.lastTick(5)]).toEqual([4, 5])
})
