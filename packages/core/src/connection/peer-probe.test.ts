import { Writable } from 'node:stream'
import { describe, expect, test, vi } from 'vitest'
import { stopClock } from '../testing/serving.ts'
import { PeerProbe } from './peer-probe.ts'

function probing(requestId: () => number | undefined = () => 7) {
  stopClock('setTimeout')
  const writes: Buffer[] = []
  const socket = new Writable({
    write(chunk, _, callback) {
      writes.push(chunk)
      callback()
    },
  })
  return { probe: new PeerProbe(socket, requestId), writes, sizes: () => writes.map(({ length }) => length) }
}

const HEADER = [1, 7, 0, 7, 0, 0, 255, 0]

/** Checks that the bytes are `count` whole, empty STDERR records of request 7. */
function expectRecords(writes: Buffer[], count: number): void {
  const all = Buffer.concat(writes)
  expect(all).toHaveLength(count * 263)
  for (let at = 0; at < all.length; at += 263) {
    expect([...all.subarray(at, at + 8)]).toEqual(HEADER)
    expect(all.subarray(at + 8, at + 263).every((byte) => byte === 0)).toBe(true)
  }
}

test('writes soon, and then at longer intervals, until it is stopped', () => {
  const { probe, writes, sizes } = probing()
  probe.start()
  expect(sizes()).toEqual([8])
  vi.advanceTimersByTime(50)
  expect(sizes()).toEqual([8, 1])
  vi.advanceTimersByTime(500)
  expect(sizes()).toEqual([8, 1, 1, 1])
  vi.advanceTimersByTime(10 * 60_000)
  expect(writes.length).toBeGreaterThan(100)
  expect(writes.length).toBeLessThan(130)
  probe.stop()
  expectRecords(writes, 1)
  const before = writes.length
  vi.advanceTimersByTime(60 * 60_000)
  expect(writes).toHaveLength(before)
})

test('begins another record when the padding of one is complete', () => {
  const { probe, writes } = probing()
  probe.start()
  vi.advanceTimersByTime(60 * 60_000)
  probe.stop()
  expect(Buffer.concat(writes).length / 263).toBeGreaterThan(2)
  expectRecords(writes, Buffer.concat(writes).length / 263)
})

describe('finish', () => {
  test('completes the current record, and begins another one later', () => {
    const { probe, writes } = probing()
    probe.start()
    vi.advanceTimersByTime(50)
    probe.finish()
    expectRecords(writes, 1)
    probe.finish()
    expectRecords(writes, 1)
    vi.advanceTimersByTime(500)
    probe.stop()
    expectRecords(writes, 2)
  })

  test('does nothing if the probe was not started', () => {
    const { probe, writes } = probing()
    probe.finish()
    probe.stop()
    vi.advanceTimersByTime(60_000)
    expect(writes).toEqual([])
  })
})

test('a second start has no effect until the probe was stopped', () => {
  const { probe, sizes } = probing()
  probe.start()
  probe.start()
  expect(sizes()).toEqual([8])
  probe.stop()
  probe.start()
  expect(sizes()).toEqual([8, 255, 8])
})

test('stops by itself, with a complete record, when no request is running', () => {
  let requestId: number | undefined = 7
  const { probe, writes } = probing(() => requestId)
  probe.start()
  requestId = undefined
  vi.advanceTimersByTime(60_000)
  expectRecords(writes, 1)
})
