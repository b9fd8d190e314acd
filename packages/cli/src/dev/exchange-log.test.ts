import { expect, test } from 'vitest'
import { ExchangeLog, KEPT } from './exchange-log.ts'
import { TRACE_PARAM } from './messages.ts'

function begin(log: ExchangeLog, id: number, params: [string, string][] = []): void {
  log.onBegin({ id, method: 'GET', target: `/${id}`, params, requestId: 1, connection: 1 })
}

test('collects the events of an exchange', () => {
  const log = new ExchangeLog()
  const changes: number[] = []
  log.onChange = ({ id }) => changes.push(id)
  begin(log, 7, [
    ['REQUEST_URI', '/7'],
    [TRACE_PARAM, '1'],
  ])
  log.onRecord({ id: 7, direction: 'sent', type: 4, contentLength: 100, paddingLength: 4, time: 1 })
  log.onRecord({ id: 7, direction: 'received', type: 6, contentLength: 10, paddingLength: 6, time: 2 })
  log.onStderr({ id: 7, chunk: Buffer.from('careful'), time: 2 })
  log.onHead({ id: 7, status: 201, headers: ['A', 'b'], time: 3 })
  log.onEnd({ id: 7, appStatus: 0, protocolStatus: 0, time: 4 })
  log.onRead('1', { url: 'http://x/7', mount: '', remoteAddress: undefined, headers: [] })
  const expected = { id: 7, status: 201, duration: 4, sent: 112, received: 24, stderr: true }
  expect(log.list()).toMatchObject([expected])
  // The param that dev itself adds is not shown.
  expect(log.get(7)).toMatchObject({ params: [['REQUEST_URI', '/7']], read: { url: 'http://x/7' } })
  expect(changes).toHaveLength(7)
})

test('keeps the last exchanges, and ignores events of those that it has dropped', () => {
  const log = new ExchangeLog()
  for (let id = 1; id <= KEPT.exchanges + 3; id++) begin(log, id, [[TRACE_PARAM, String(id)]])
  expect(log.list()).toHaveLength(KEPT.exchanges)
  expect(log.list()[0]!.id).toBe(4)
  log.onEnd({ id: 1, time: 1 })
  log.onRead('1', { url: '', mount: '', remoteAddress: undefined, headers: [] })
  expect(log.get(1)).toBeUndefined()
})

test('keeps a limited amount of each exchange', () => {
  const log = new ExchangeLog()
  begin(
    log,
    1,
    Array.from({ length: 1000 }, (_, i) => [`NAME_${i}`, 'x'.repeat(i === 0 ? 1_000_000 : 1000)]),
  )
  for (let i = 0; i < 10_000; i++) {
    log.onRecord({ id: 1, direction: 'received', type: 6, contentLength: i, paddingLength: 0, time: i })
    log.onStderr({ id: 1, chunk: Buffer.alloc(1000, 'e'), time: i })
  }
  const { params, firstRecords, lastRecords, recordCount, stderrText, stderrBytes } = log.get(1)!
  expect(params[0]![1]).toBe(`${'x'.repeat(KEPT.value)}… (1000000 bytes)`)
  expect(params.flat().join('').length).toBeLessThan(KEPT.params + 1000)
  expect(params.at(-1)![1]).toMatch(/^\d+ more params were left out/)
  expect(firstRecords).toHaveLength(KEPT.firstRecords)
  expect(lastRecords.at(-1)).toMatchObject({ time: 9999 })
  expect(lastRecords).toHaveLength(KEPT.lastRecords)
  expect(recordCount).toBe(10_000)
  expect(Buffer.concat(stderrText)).toHaveLength(KEPT.stderr)
  expect(stderrBytes).toBe(10_000_000)
})
