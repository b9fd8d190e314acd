import { describe, expect, test } from 'vitest'
import { HeartbeatPace } from './heartbeat-pace.ts'

const BUSY = 1000
const IDLE = 2000

/** What `tick()` returns at each second. `late`: the tick comes this many milliseconds late. */
function paces(ticks: { events?: number; active?: number; late?: number }[]): number[] {
  const pace = new HeartbeatPace({ heartbeatInterval: BUSY, idleHeartbeatInterval: IDLE })
  return ticks.map(({ events = 0, active = 0, late = 0 }, index) =>
    pace.tick(index * BUSY + late, { events, active, delay: late }),
  )
}

describe('heartbeats', () => {
  test('while nothing happens, the idle interval is announced and kept', () => {
    expect(paces([{}, {}, {}, {}, {}])).toEqual([IDLE, 0, IDLE, 0, IDLE])
  })

  test('the idle interval is kept although ticks are a little early and late', () => {
    expect(paces([{ late: 4 }, {}, { late: -4 }, { late: 3 }, {}])).toEqual([IDLE, 0, IDLE, 0, IDLE])
  })

  test('the tick after an event, and each tick while a request runs, sends one', () => {
    expect(paces([{ events: 1 }, { events: 2 }, { events: 2, active: 1 }, { events: 2, active: 1 }])).toEqual(
      [BUSY, BUSY, BUSY, BUSY],
    )
  })

  test('the first event after a pause is reported at the next tick', () => {
    expect(paces([{}, { events: 1 }, { events: 1 }, { events: 1 }])).toEqual([IDLE, BUSY, IDLE, 0])
  })

  test('a late tick is reported, and so is the next one', () => {
    expect(paces([{}, { late: 400 }, {}, {}])).toEqual([IDLE, BUSY, IDLE, 0])
  })
})
