// A reproducible part of `npm run fuzz` (tests/fuzz/README.md), and proof that the fuzzer detects the faults that it looks for.
import { describe, expect, test } from 'vitest'
import { Finding, fuzz } from './fuzz.js'
import { ServerProcess } from './process.js'
import { checkResponses } from './responses.js'
import { BEGIN_REQUEST, END_REQUEST, GET_VALUES_RESULT, PARAMS, record, STDIN, STDOUT } from './wire.js'

/** About a quarter of a minute on one core. */
const SESSIONS = 30_000

test(`${SESSIONS} mutated sessions do no harm`, { timeout: 20 * 60_000 }, async () => {
  const { sessions, neighbours, after } = await fuzz({ seed: 52, count: SESSIONS })
  expect(sessions).toBe(SESSIONS)
  expect(neighbours).toBeGreaterThan(100)
  // If the server rejected all sessions, or none, the run would prove nothing.
  expect(after.requests).toBeGreaterThan(SESSIONS / 4)
  expect(after.protocolErrors).toBeGreaterThan(SESSIONS / 10)
})

test('a request that does not end after the first sessions is a finding with these sessions', async () => {
  const server = await ServerProcess.start()
  const measure = server.measure.bind(server)
  server.measure = async () => ({ ...(await measure()), connections: 0, running: 1 })
  const fuzzing = fuzz({ seed: 52, count: 40, startServer: async () => server, releaseLimit: 0 })
  const finding = await fuzzing.catch((error) => error)
  expect(finding).toBeInstanceOf(Finding)
  expect(finding.message).toBe('1 requests of closed connections have not ended.')
  expect(finding.sessions).toHaveLength(10)
})

describe('the checks detect invalid output: a response', () => {
  const begin = record(BEGIN_REQUEST, 1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]))
  const request = Buffer.concat([begin, record(PARAMS, 1), record(STDIN, 1)])
  const head = record(STDOUT, 1, 'Status: 200 OK\r\n\r\n123456')
  const eof = record(STDOUT, 1)
  const end = record(END_REQUEST, 1, Buffer.alloc(8))
  const zeros = Buffer.alloc(8)
  const see = (sent: Buffer, ...received: Buffer[]) =>
    expect(() => checkResponses(sent, Buffer.concat(received), { whole: true, isTcp: false }))

  test.each<[string, Buffer[]]>([
    ['whole', [head, eof, end]],
    ['cut off, marked as on a Unix socket', [head, zeros]],
  ])('but not one that is %s', (_, received) => {
    see(request, ...received).not.toThrow()
  })

  test.each<[string, Buffer[]]>([
    ['for a request that has not begun', [record(STDOUT, 2, '12345678')]],
    ['after the end of its STDOUT', [head, eof, head]],
    ['without the end of its STDOUT', [head, end]],
    ['without a head', [record(STDOUT, 1, '12345678'), eof, end]],
    ['twice', [head, eof, end, end]],
    ['that is not aligned', [record(STDOUT, 1, 'Status: 200 OK\r\n\r\n1'), eof, end]],
    ['of half a record', [head, eof, end.subarray(0, 12)]],
    ['that nobody requested', [head, eof, end, record(GET_VALUES_RESULT, 0)]],
    ['of a type that only front servers send', [record(BEGIN_REQUEST, 1, zeros)]],
    ['that is missing', []],
  ])('%s', (_, received) => {
    see(request, ...received).toThrow(/^The server sent /)
  })
})
