import { bytes, record, TYPES } from '@fcgi-bridge/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyWire, splitAt } from '../testing/arbitraries.ts'
import { RecordDecoder, type RecordSink } from './decoder.ts'
import { ProtocolError } from './error.ts'

/** A call of a sink. Consecutive pieces of one stream are joined. The end of a stream is ''. */
type Event = [kind: 'stream' | 'discrete', type: number, requestId: number, content: string]

function recorder(): { events: Event[]; sink: RecordSink } {
  const events: Event[] = []
  let joinable = false
  return {
    events,
    sink: {
      onStream(type, requestId, chunk, start, end) {
        const content = chunk.toString('latin1', start, end)
        const last = events.at(-1)
        if (content !== '' && joinable && last?.[1] === type && last[2] === requestId) last[3] += content
        else events.push(['stream', type, requestId, content])
        joinable = content !== ''
      },
      onDiscrete(type, requestId, chunk, start, end) {
        events.push(['discrete', type, requestId, chunk.toString('latin1', start, end)])
        joinable = false
      },
    },
  }
}

function decode(...chunks: Buffer[]): Event[] {
  const { events, sink } = recorder()
  const decoder = new RecordDecoder(sink)
  for (const chunk of chunks) decoder.push(chunk)
  return events
}

// One record of each form: empty, padded, both, unaligned, with ids of one and of two bytes.
const SESSION = bytes(
  record(TYPES.BEGIN_REQUEST, 1, [0, 1, 0, 0, 0, 0, 0, 0]),
  record(TYPES.PARAMS, 1, 'abcdefghijk', 5),
  record(TYPES.PARAMS, 1, 'lm'),
  record(TYPES.PARAMS, 1, '', 8),
  record(TYPES.GET_VALUES, 0, 'values', 2),
  record(TYPES.STDIN, 0x1234, 'x', 255),
  record(TYPES.STDIN, 0x1234),
  record(TYPES.ABORT_REQUEST, 0xffff, '', 1),
  record(99, 0, 'unknown'),
)
const EVENTS: Event[] = [
  ['discrete', 1, 1, '\0\u0001\0\0\0\0\0\0'],
  ['stream', 4, 1, 'abcdefghijklm'],
  ['stream', 4, 1, ''],
  ['discrete', 9, 0, 'values'],
  ['stream', 5, 0x1234, 'x'],
  ['stream', 5, 0x1234, ''],
  ['discrete', 2, 0xffff, ''],
  ['discrete', 99, 0, 'unknown'],
]

describe('RecordDecoder', () => {
  it('reads many records in one push', () => {
    expect(decode(SESSION)).toEqual(EVENTS)
  })

  it('reads records one byte at a time', () => {
    expect(decode(...Array.from(SESSION, (byte) => Buffer.from([byte])))).toEqual(EVENTS)
  })

  it('reads records that are split at any offset', () => {
    for (let at = 0; at <= SESSION.length; at++) {
      expect(decode(SESSION.subarray(0, at), SESSION.subarray(at))).toEqual(EVENTS)
    }
  })

  it('reads any records, in chunks of any size', () => {
    const content = fc.uint8Array({ maxLength: 40 })
    const anyRecord = fc.record({
      type: fc.integer({ min: 0, max: 255 }),
      requestId: fc.integer({ min: 0, max: 0xffff }),
      content,
      padding: fc.integer({ min: 0, max: 255 }),
    })
    fc.assert(
      fc.property(fc.array(anyRecord), fc.infiniteStream(fc.integer({ min: 1, max: 30 })), (list, sizes) => {
        const wire = bytes(...list.map((one) => record(one.type, one.requestId, one.content, one.padding)))
        const chunks: Buffer[] = []
        for (let at = 0; at < wire.length; ) {
          const size = sizes.next().value
          chunks.push(wire.subarray(at, at + size))
          at += size
        }
        const expected = recorder()
        for (const { type, requestId, content } of list) {
          const isStream = type >= TYPES.PARAMS && type <= TYPES.DATA
          const onRecord = isStream ? expected.sink.onStream : expected.sink.onDiscrete
          onRecord(type, requestId, Buffer.from(content), 0, content.length)
        }
        expect(decode(...chunks)).toEqual(expected.events)
      }),
    )
  })

  it('has the same result for any bytes, however they are split, and throws only ProtocolErrors', () => {
    const outcome = (...chunks: Buffer[]): unknown => {
      const { events, sink } = recorder()
      const decoder = new RecordDecoder(sink)
      try {
        for (const chunk of chunks) decoder.push(chunk)
        return { events, atBoundary: decoder.atBoundary }
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
        return { events, code: (error as ProtocolError).code }
      }
    }
    fc.assert(
      fc.property(anyWire, fc.array(fc.nat()), (wire, offsets) => {
        expect(outcome(...splitAt(wire, offsets))).toEqual(outcome(wire))
      }),
      { numRuns: 1000 },
    )
  })

  it.each(Object.entries(TYPES))('passes %s on as a stream record or a discrete record', (name, type) => {
    const isStream = ['PARAMS', 'STDIN', 'STDOUT', 'STDERR', 'DATA'].includes(name)
    expect(decode(record(type, 1, 'x'))).toEqual([[isStream ? 'stream' : 'discrete', type, 1, 'x']])
  })

  it('reads a record of the largest size, with the largest padding', () => {
    const content = 'v'.repeat(65_535)
    for (const type of [TYPES.STDIN, TYPES.GET_VALUES]) {
      const kind = type === TYPES.STDIN ? 'stream' : 'discrete'
      const wire = bytes(record(type, 1, content, 255), record(TYPES.STDIN, 1))
      expect(decode(wire)).toEqual([
        [kind, type, 1, content],
        ['stream', TYPES.STDIN, 1, ''],
      ])
      expect(decode(wire.subarray(0, 30_000), wire.subarray(30_000))).toEqual(decode(wire))
    }
  })

  it('ignores the reserved byte and the content of the padding', () => {
    const wire = record(TYPES.STDIN, 1, 'abc', 5)
    wire[7] = 0xff
    expect(decode(wire, record(TYPES.STDIN, 1))).toEqual([
      ['stream', 5, 1, 'abc'],
      ['stream', 5, 1, ''],
    ])
  })

  it('reads 10,000 empty records in one push without recursion', () => {
    let ends = 0
    const decoder = new RecordDecoder({
      onStream: (_type, _requestId, _chunk, start, end) => {
        if (start === end) ends++
      },
      onDiscrete: () => expect.unreachable(),
    })
    decoder.push(Buffer.concat(Array.from({ length: 10_000 }, () => record(TYPES.STDIN, 1))))
    expect(ends).toBe(10_000)
  })

  it('passes stream content on as views of the pushed chunks, and an empty piece only for the end of a stream', () => {
    const wire = bytes(record(TYPES.STDIN, 1, 'abcdef'), record(TYPES.STDIN, 1))
    const pieces: [Buffer, number, number][] = []
    const decoder = new RecordDecoder({
      onStream: (_type, _requestId, chunk, start, end) => pieces.push([chunk, start, end]),
      onDiscrete: () => expect.unreachable(),
    })
    const chunks = [wire.subarray(0, 8), wire.subarray(8, 11), wire.subarray(11)]
    for (const chunk of chunks) decoder.push(chunk)
    expect(pieces).toEqual([
      [chunks[1], 0, 3],
      [chunks[2], 0, 3],
      [chunks[2], 11, 11],
    ])
    expect(pieces.every(([chunk], i) => chunk === chunks[i === 0 ? 1 : 2])).toBe(true)
  })

  it('passes a discrete record on as a whole, however many chunks it arrives in', () => {
    const content = Array.from({ length: 1000 }, (_, i) => i % 256)
    const wire = record(TYPES.GET_VALUES, 0, content, 3)
    for (const size of [1, 7, 8, 9, 500, 1007, 1008, 1010]) {
      const chunks = []
      for (let at = 0; at < wire.length; at += size) chunks.push(wire.subarray(at, at + size))
      expect(decode(...chunks)).toEqual([['discrete', 9, 0, Buffer.from(content).toString('latin1')]])
    }
  })

  it('copies the beginning of a discrete record, because the chunk may be reused', () => {
    const wire = record(TYPES.GET_VALUES, 0, 'abcdef')
    const { events, sink } = recorder()
    const decoder = new RecordDecoder(sink)
    const first = Buffer.from(wire.subarray(0, 11))
    decoder.push(first)
    first.fill(0)
    decoder.push(wire.subarray(11))
    expect(events).toEqual([['discrete', 9, 0, 'abcdef']])
  })

  it.each([0, 2, 255])(
    'refuses version %i at its first byte, and passes on the records before it',
    (version) => {
      const wrong = record(TYPES.STDIN, 1, 'x')
      wrong[0] = version
      const { events, sink } = recorder()
      for (const length of [1, 5, wrong.length]) {
        const decoder = new RecordDecoder(sink)
        expect(() => decoder.push(bytes(record(TYPES.STDIN, 1, 'good'), wrong.subarray(0, length)))).toThrow(
          expect.objectContaining({ name: 'ProtocolError', code: 'FCGI_ERR_VERSION' }),
        )
      }
      expect(events).toEqual([['stream', 5, 1, 'goodgoodgood']])
      expect(() => new RecordDecoder(sink).push(Buffer.from('GET / HTTP/1.1'))).toThrow(ProtocolError)
    },
  )

  it('passes on nothing after stop, not even from the current chunk', () => {
    const { events, sink } = recorder()
    const decoder = new RecordDecoder({
      ...sink,
      onDiscrete(...args) {
        sink.onDiscrete(...args)
        decoder.stop()
      },
    })
    decoder.push(bytes(record(TYPES.STDIN, 1, 'before'), record(TYPES.ABORT_REQUEST, 1), SESSION))
    decoder.push(SESSION)
    // An invalid version is ignored, too.
    decoder.push(Buffer.from([2]))
    expect(events).toEqual([
      ['stream', 5, 1, 'before'],
      ['discrete', 2, 1, ''],
    ])
  })

  it('atBoundary is true between two records only', () => {
    const { sink } = recorder()
    const decoder = new RecordDecoder(sink)
    expect(decoder.atBoundary).toBe(true)
    const wire = bytes(record(TYPES.STDIN, 1, 'abc', 5), record(TYPES.GET_VALUES, 0, 'abc'))
    const boundaries: number[] = []
    for (const [i, byte] of wire.entries()) {
      decoder.push(Buffer.from([byte]))
      if (decoder.atBoundary) boundaries.push(i + 1)
    }
    expect(boundaries).toEqual([16, 27])
  })
})
