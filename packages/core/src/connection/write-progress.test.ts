import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { WriteProgress } from './write-progress.ts'

/** As much of a socket as is looked at. */
function socketOf(bytesWritten: number, writableLength: number) {
  return { bytesWritten, writableLength } as Duplex & { writableLength: number; bytesWritten: number }
}

test('a peer that has taken nothing at all has its time from when it came', () => {
  const progress = new WriteProgress(socketOf(100, 100), 1000)
  expect([progress.lastTick(1001), progress.lastTick(1002)]).toEqual([1000, 1000])
})

test('what it takes is progress, what is written more is none, and where nothing waits there is none to make', () => {
  const socket = socketOf(100, 100)
  const progress = new WriteProgress(socket, 1)
  Object.assign(socket, { writableLength: 60 })
  expect(progress.lastTick(2)).toBe(2)
  Object.assign(socket, { bytesWritten: 200, writableLength: 160 })
  expect(progress.lastTick(3)).toBe(2)
  Object.assign(socket, { writableLength: 0 })
  expect([progress.lastTick(4), progress.lastTick(5)]).toEqual([4, 5])
})
