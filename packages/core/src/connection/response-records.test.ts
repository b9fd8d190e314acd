import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { FCGI_END_REQUEST, FCGI_STDOUT } from '../protocol/constants.ts'
import { RecordDecoder } from '../protocol/decoder.ts'
import { writeStdout } from './response-records.ts'

const KIB = 1024
const RECORD_MAX = 65528
const COMPLETE = { appStatus: 0, protocolStatus: 0 }

/** Decodes the records of `bytes`. `ends` contains `end` for the end of STDOUT. */
function read(bytes: Buffer): { content: string; ends: string[] } {
  let content = ''
  const ends: string[] = []
  const decoder = new RecordDecoder({
    onStream(type, requestId, chunk, start, end) {
      expect([type, requestId]).toEqual([FCGI_STDOUT, 7])
      if (start === end) ends.push('end')
      else content += chunk.toString('latin1', start, end)
    },
    onDiscrete(type, requestId) {
      expect([type, requestId]).toEqual([FCGI_END_REQUEST, 7])
      ends.push('END_REQUEST')
    },
  })
  decoder.push(bytes)
  expect(decoder.atBoundary).toBe(true)
  return { content, ends }
}

const lengths = [0, 1, 16 * KIB, 16 * KIB + 1, 32 * KIB, 64 * KIB, 256 * KIB].concat(
  [RECORD_MAX, 2 * RECORD_MAX].flatMap((full) =>
    [-513, -512, -9, -1, 0, 1, 8, 511, 512, 513].map((n) => full + n),
  ),
)

test.each([0, 9, 700, 70_000])(
  'bodies of many lengths are encoded after a head of %i characters',
  (headLength) => {
    const head = 'h'.repeat(headLength)
    for (const length of lengths) {
      const body = Buffer.alloc(length, '0123456789')
      for (const [endStream, end] of [[false], [true], [true, COMPLETE]] as const) {
        const socket = new PassThrough({ highWaterMark: 1024 * KIB })
        const callback = vi.fn()
        writeStdout(socket, 7, head, body, endStream, end, callback)
        const chunks: Buffer[] = []
        // Since Node 26, each read() returns one chunk.
        for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk)
        const bytes = Buffer.concat(chunks)
        expect(bytes.length % 8).toBe(0)
        const { content, ends } = read(bytes)
        expect(content === head + body.toString('latin1')).toBe(true)
        expect(ends).toEqual(['end', 'END_REQUEST'].slice(0, Number(endStream) + Number(end !== undefined)))
      }
    }
  },
)

test('a piece of 64 KiB, the usual size of a stream chunk, is written as two buffers and hardly copied', () => {
  const body = Buffer.alloc(64 * KIB)
  const written: (string | Uint8Array)[] = []
  const socket = new Socket()
  vi.spyOn(socket, 'write').mockImplementation((chunk: string | Uint8Array) => written.push(chunk) > 0)
  const callback = vi.fn()
  writeStdout(socket, 7, '', body, false, undefined, callback)
  expect(written.map(({ length }) => length)).toEqual([24, RECORD_MAX])
  expect((written[1] as Uint8Array).buffer).toBe(body.buffer)
  expect(vi.mocked(socket.write).mock.calls.map((args) => args.at(-1) === callback)).toEqual([false, true])
})

test('the app can reuse the memory of a body, also if a stream that is not a socket holds the bytes for longer', () => {
  const socket = new PassThrough({ highWaterMark: 1024 * KIB })
  const body = Buffer.alloc(64 * KIB, 'a')
  writeStdout(socket, 7, '', body, false, undefined)
  body.fill('b')
  const chunks: Buffer[] = []
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk)
  expect(read(Buffer.concat(chunks)).content === 'a'.repeat(64 * KIB)).toBe(true)
})
