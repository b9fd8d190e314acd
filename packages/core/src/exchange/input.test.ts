import { describe, expect, test, vi } from 'vitest'
import { ExchangeError } from './error.ts'
import { InputQueue } from './input.ts'

const ABORT = new ExchangeError('FCGI_ERR_ABORTED', 'aborted')
const NONE = Number.POSITIVE_INFINITY

function input({
  exact = false,
  length,
  maxBytes = NONE,
}: {
  exact?: boolean
  length?: number
  maxBytes?: number
} = {}) {
  const owner = { onInputConsumed: vi.fn(), callListener: (listener: () => void) => listener() }
  const queue = new InputQueue(owner, exact)
  queue.expect(length, maxBytes)
  return { queue, owner }
}

function push(queue: InputQueue, ...pieces: string[]): void {
  for (const piece of pieces) {
    // As in a real connection, the piece is part of a larger chunk.
    const chunk = Buffer.from(`<${piece}>`)
    queue.push(chunk, 1, chunk.length - 1)
    queue.keep()
  }
}

function readAll(queue: InputQueue): string {
  let text = ''
  for (let chunk = queue.read(); chunk !== null; chunk = queue.read()) text += chunk
  return text
}

test('returns the pieces in order, then is ended', () => {
  const { queue } = input()
  push(queue, 'one ', 'two ')
  expect(String(queue.read())).toBe('one ')
  push(queue, 'three')
  expect(readAll(queue)).toBe('two three')
  expect(queue).toMatchObject({ ended: false, error: undefined, complete: false })
  queue.finish()
  expect(queue.read()).toBeNull()
  expect(queue).toMatchObject({ ended: true, error: undefined, complete: true })
})

test('copies the bytes of one socket read into one piece', () => {
  const { queue } = input()
  const memory = Buffer.from('one two')
  queue.push(memory, 0, 3)
  queue.push(memory, 3, 7)
  queue.keep()
  memory.fill('x')
  queue.push(memory, 0, 1)
  expect(String(queue.read())).toBe('one two')
  // A reader that does not wait for keep() gets the bytes that have been pushed so far.
  expect(String(queue.read())).toBe('x')
  queue.keep()
  expect(queue.read()).toBeNull()
})

test('a waiting reader gets the bytes that arrived just before an abort, in the same socket read', () => {
  const { queue } = input()
  let read = ''
  queue.onReadable = () => {
    read += readAll(queue)
  }
  const memory = Buffer.from('half')
  queue.push(memory, 0, 4)
  queue.fail(ABORT)
  expect(read).toBe('half')
  expect(queue.error).toBe(ABORT)
})

test('is not ended while bytes are queued', () => {
  const { queue } = input({ length: 4 })
  push(queue, 'body')
  expect(queue).toMatchObject({ ended: false, complete: true })
  readAll(queue)
  expect(queue.ended).toBe(true)
})

test('queues many pieces in order', () => {
  const { queue } = input()
  const pieces = Array.from({ length: 1000 }, (_, i) => `${i} `)
  let text = ''
  for (const [i, piece] of pieces.entries()) {
    push(queue, piece)
    if (i % 3 === 0) text += queue.read()
  }
  expect(text + readAll(queue)).toBe(pieces.join(''))
})

test('never reuses the memory of a piece that was read', () => {
  const { queue } = input()
  push(queue, 'kept')
  const chunk = queue.read()!
  push(queue, 'next')
  queue.discard()
  expect(String(chunk)).toBe('kept')
})

describe('the announced length', () => {
  test('ends the input, whether or not the stream ends', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'bo', 'dy')
    expect(readAll(queue)).toBe('body')
    expect(queue).toMatchObject({ ended: true, complete: true })
    queue.finish()
    expect(queue).toMatchObject({ ended: true, error: undefined })
  })

  test('truncates a longer body', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'body and more', 'more')
    expect(readAll(queue)).toBe('body')
    expect(queue.ended).toBe(true)
  })

  test('makes a longer body an error if the length must be exact', () => {
    const { queue } = input({ length: 4, exact: true })
    push(queue, 'body')
    expect(readAll(queue)).toBe('body')
    push(queue, '!')
    expect(queue).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_LENGTH', status: 400 } })
  })

  test('makes a shorter body an error, after the bytes that arrived', () => {
    const { queue } = input({ length: 10 })
    push(queue, 'half')
    queue.finish()
    expect(queue.error).toBeUndefined()
    expect(readAll(queue)).toBe('half')
    expect(queue).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_LENGTH' } })
  })

  test('of 0 ends the input at once', () => {
    const { queue } = input({ length: 0 })
    expect(queue).toMatchObject({ ended: true, complete: true })
    push(queue, 'stray')
    expect(queue.read()).toBeNull()
    expect(queue.ended).toBe(true)
  })
})

test('without a length, more than maxBytes is an error, and the memory is released', () => {
  const { queue } = input({ maxBytes: 5 })
  push(queue, 'five.')
  expect(queue.error).toBeUndefined()
  push(queue, '!')
  expect(queue).toMatchObject({ queuedBytes: 0, error: { code: 'FCGI_ERR_BODY_TOO_LARGE', status: 413 } })
  expect(queue.read()).toBeNull()
})

test('queuedBytes includes the overhead of each piece', () => {
  const { queue } = input()
  for (let i = 0; i < 1000; i++) push(queue, 'x')
  expect(queue.queuedBytes).toBeGreaterThan(50_000)
  readAll(queue)
  expect(queue.queuedBytes).toBe(0)
})

describe('onReadable', () => {
  test('is called for new bytes, the end and an error', () => {
    for (const last of [(queue: InputQueue) => queue.finish(), (queue: InputQueue) => queue.fail(ABORT)]) {
      const { queue } = input()
      const listener = vi.fn()
      queue.onReadable = listener
      push(queue, 'bytes')
      expect(listener).toHaveBeenCalledTimes(1)
      last(queue)
      expect(listener).toHaveBeenCalledTimes(2)
    }
  })

  test('can throw: the owner receives the error, and the bytes can still be read', () => {
    const { queue, owner } = input()
    const error = new Error('in onReadable')
    let thrown: unknown
    owner.callListener = (listener) => {
      try {
        listener()
      } catch (caught) {
        thrown = caught
      }
    }
    queue.onReadable = () => {
      throw error
    }
    push(queue, 'bytes')
    expect(thrown).toBe(error)
    expect(readAll(queue)).toBe('bytes')
  })

  test('can read and discard', () => {
    const { queue } = input()
    queue.onReadable = () => {
      queue.read()
      queue.discard()
    }
    push(queue, 'one', 'two')
    expect(queue.error).toMatchObject({ code: 'FCGI_ERR_BODY_DISCARDED' })
  })
})

describe('wanted', () => {
  test('is true once a listener was set, until the input is discarded', () => {
    const { queue } = input()
    expect(queue.wanted).toBe(false)
    queue.onReadable = undefined
    expect(queue.wanted).toBe(false)
    queue.onReadable = () => {}
    queue.onReadable = undefined
    expect(queue.wanted).toBe(true)
    queue.discard()
    expect(queue.wanted).toBe(false)
  })

  test('is true once the app has called read()', () => {
    const { queue } = input()
    queue.read()
    expect(queue.wanted).toBe(true)
  })
})

describe('discard', () => {
  test('drops queued and later bytes, and notifies the owner that reading can resume', () => {
    const { queue, owner } = input({ length: 20 })
    push(queue, 'waits')
    queue.discard()
    push(queue, 'comes')
    expect(queue.queuedBytes).toBe(0)
    expect(queue.read()).toBeNull()
    expect(queue).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_DISCARDED' } })
    expect(owner.onInputConsumed).toHaveBeenCalledTimes(1)
  })

  test('causes no error for a body that was read to its end', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'body')
    readAll(queue)
    queue.discard()
    expect(queue).toMatchObject({ ended: true, error: undefined })
  })

  test('still detects when the whole body has arrived', () => {
    const { queue } = input({ length: 8 })
    queue.discard()
    push(queue, 'body')
    expect(queue.complete).toBe(false)
    push(queue, 'body')
    expect(queue.complete).toBe(true)
  })

  test('releases the bytes of a body that is too short', () => {
    const { queue } = input({ length: 10 })
    push(queue, 'half')
    queue.finish()
    queue.discard()
    expect(queue).toMatchObject({ queuedBytes: 0, error: { code: 'FCGI_ERR_BODY_LENGTH' } })
  })
})

describe('fail and abandon', () => {
  test('an incomplete body gets the first error', () => {
    const failed = input({ length: 10 }).queue
    push(failed, 'half')
    failed.fail(ABORT)
    expect(failed).toMatchObject({ ended: false, error: ABORT, queuedBytes: 0 })
    failed.abandon()
    expect(failed.error).toBe(ABORT)

    const abandoned = input({ length: 10 }).queue
    push(abandoned, 'half')
    abandoned.abandon()
    expect(abandoned).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_DISCARDED' } })
    abandoned.fail(ABORT)
    expect(abandoned.error).toMatchObject({ code: 'FCGI_ERR_BODY_DISCARDED' })
  })

  test('a complete body can still be read', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'body')
    queue.fail(ABORT)
    queue.abandon()
    expect(readAll(queue)).toBe('body')
    expect(queue).toMatchObject({ ended: true, error: undefined })
  })

  test('a waiting reader is notified', () => {
    const { queue } = input()
    const listener = vi.fn()
    queue.onReadable = listener
    queue.abandon()
    expect(listener).toHaveBeenCalledOnce()
  })
})

describe('a body that arrives before its length is known', () => {
  test.each<[string, number | undefined, string, boolean]>([
    ['shorter than announced', 20, 'early and late', false],
    ['as long as announced', 9, 'early and', true],
    ['longer than announced', 5, 'early', true],
    ['without an announced length', undefined, 'early and late', false],
  ])('is handled as usual: %s', (_, length, text, complete) => {
    const { queue } = input()
    push(queue, 'early', ' and')
    queue.expect(length, NONE)
    expect(queue.complete).toBe(complete)
    push(queue, ' late')
    expect(readAll(queue)).toBe(text)
  })

  test('is an error if it has ended and is too short', () => {
    const { queue } = input()
    push(queue, 'early')
    queue.finish()
    queue.expect(6, NONE)
    expect(readAll(queue)).toBe('early')
    expect(queue.error).toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
  })

  test('is an error if it has ended and exceeds maxBytes', () => {
    const { queue } = input()
    push(queue, 'early')
    queue.finish()
    queue.expect(undefined, 4)
    expect(queue.error).toMatchObject({ code: 'FCGI_ERR_BODY_TOO_LARGE' })
  })

  test('is dropped if the announced length is 0', () => {
    const { queue } = input()
    push(queue, 'early')
    queue.expect(0, NONE)
    expect(queue).toMatchObject({ ended: true, queuedBytes: 0 })
  })
})
