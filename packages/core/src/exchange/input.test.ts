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
    // As it comes: a part of something larger.
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

test('gives the pieces in order, then is ended', () => {
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

test('what one read has brought is one piece, in memory of its own', () => {
  const { queue } = input()
  const memory = Buffer.from('one two')
  queue.push(memory, 0, 3)
  queue.push(memory, 3, 7)
  queue.keep()
  memory.fill('x')
  queue.push(memory, 0, 1)
  expect(String(queue.read())).toBe('one two')
  // Whoever reads before the end of the read gets what is there.
  expect(String(queue.read())).toBe('x')
  queue.keep()
  expect(queue.read()).toBeNull()
})

test('what came in one read with an abort, in front of it, goes to whoever waits', () => {
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

test('is not ended while something waits', () => {
  const { queue } = input({ length: 4 })
  push(queue, 'body')
  expect(queue).toMatchObject({ ended: false, complete: true })
  readAll(queue)
  expect(queue.ended).toBe(true)
})

test('many pieces', () => {
  const { queue } = input()
  const pieces = Array.from({ length: 1000 }, (_, i) => `${i} `)
  let text = ''
  for (const [i, piece] of pieces.entries()) {
    push(queue, piece)
    if (i % 3 === 0) text += queue.read()
  }
  expect(text + readAll(queue)).toBe(pieces.join(''))
})

test('what was read is valid for ever', () => {
  const { queue } = input()
  push(queue, 'kept')
  const chunk = queue.read()!
  push(queue, 'next')
  queue.discard()
  expect(String(chunk)).toBe('kept')
})

describe('the announced length', () => {
  test('is the end, whether or not the stream ends', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'bo', 'dy')
    expect(readAll(queue)).toBe('body')
    expect(queue).toMatchObject({ ended: true, complete: true })
    queue.finish()
    expect(queue).toMatchObject({ ended: true, error: undefined })
  })

  test('cuts what is longer', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'body and more', 'more')
    expect(readAll(queue)).toBe('body')
    expect(queue.ended).toBe(true)
  })

  test('makes what is longer an error, where it must be exact', () => {
    const { queue } = input({ length: 4, exact: true })
    push(queue, 'body')
    expect(readAll(queue)).toBe('body')
    push(queue, '!')
    expect(queue).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_LENGTH', status: 400 } })
  })

  test('makes what is shorter an error, behind the bytes that came', () => {
    const { queue } = input({ length: 10 })
    push(queue, 'half')
    queue.finish()
    expect(queue.error).toBeUndefined()
    expect(readAll(queue)).toBe('half')
    expect(queue).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_LENGTH' } })
  })

  test('of 0 is there at once', () => {
    const { queue } = input({ length: 0 })
    expect(queue).toMatchObject({ ended: true, complete: true })
    push(queue, 'stray')
    expect(queue.read()).toBeNull()
    expect(queue.ended).toBe(true)
  })
})

test('without a length, more than maxBytes is an error, and the memory is free', () => {
  const { queue } = input({ maxBytes: 5 })
  push(queue, 'five.')
  expect(queue.error).toBeUndefined()
  push(queue, '!')
  expect(queue).toMatchObject({ queuedBytes: 0, error: { code: 'FCGI_ERR_BODY_TOO_LARGE', status: 413 } })
  expect(queue.read()).toBeNull()
})

test('pieces of one byte count with what they cost', () => {
  const { queue } = input()
  for (let i = 0; i < 1000; i++) push(queue, 'x')
  expect(queue.queuedBytes).toBeGreaterThan(50_000)
  readAll(queue)
  expect(queue.queuedBytes).toBe(0)
})

describe('onReadable', () => {
  test('is called for what is new: bytes, the end, an error', () => {
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

  test('may throw: the owner is told, and the rest comes', () => {
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

  test('may read, and discard', () => {
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
  test('is what has been read or has a listener, until it is discarded', () => {
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

  test('reading says so too', () => {
    const { queue } = input()
    queue.read()
    expect(queue.wanted).toBe(true)
  })
})

describe('discard', () => {
  test('drops what waits and what comes, and tells the owner that reading may go on', () => {
    const { queue, owner } = input({ length: 20 })
    push(queue, 'waits')
    queue.discard()
    push(queue, 'comes')
    expect(queue.queuedBytes).toBe(0)
    expect(queue.read()).toBeNull()
    expect(queue).toMatchObject({ ended: false, error: { code: 'FCGI_ERR_BODY_DISCARDED' } })
    expect(owner.onInputConsumed).toHaveBeenCalledTimes(1)
  })

  test('is no error for a body that was read to its end', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'body')
    readAll(queue)
    queue.discard()
    expect(queue).toMatchObject({ ended: true, error: undefined })
  })

  test('still knows when all has come', () => {
    const { queue } = input({ length: 8 })
    queue.discard()
    push(queue, 'body')
    expect(queue.complete).toBe(false)
    push(queue, 'body')
    expect(queue.complete).toBe(true)
  })

  test('of a body that is cut short lets its bytes go', () => {
    const { queue } = input({ length: 10 })
    push(queue, 'half')
    queue.finish()
    queue.discard()
    expect(queue).toMatchObject({ queuedBytes: 0, error: { code: 'FCGI_ERR_BODY_LENGTH' } })
  })
})

describe('fail and abandon', () => {
  test('a body that is not here whole: the error', () => {
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

  test('a body that is here whole can still be read', () => {
    const { queue } = input({ length: 4 })
    push(queue, 'body')
    queue.fail(ABORT)
    queue.abandon()
    expect(readAll(queue)).toBe('body')
    expect(queue).toMatchObject({ ended: true, error: undefined })
  })

  test('the reader that waits is told', () => {
    const { queue } = input()
    const listener = vi.fn()
    queue.onReadable = listener
    queue.abandon()
    expect(listener).toHaveBeenCalledOnce()
  })
})

describe('what comes before the length is known', () => {
  test.each<[string, number | undefined, string, boolean]>([
    ['less', 20, 'early and late', false],
    ['all of it', 9, 'early and', true],
    ['more', 5, 'early', true],
    ['of unknown length', undefined, 'early and late', false],
  ])('%s', (_, length, text, complete) => {
    const { queue } = input()
    push(queue, 'early', ' and')
    queue.expect(length, NONE)
    expect(queue.complete).toBe(complete)
    push(queue, ' late')
    expect(readAll(queue)).toBe(text)
  })

  test('with its end: too short', () => {
    const { queue } = input()
    push(queue, 'early')
    queue.finish()
    queue.expect(6, NONE)
    expect(readAll(queue)).toBe('early')
    expect(queue.error).toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
  })

  test('with its end: over the limit', () => {
    const { queue } = input()
    push(queue, 'early')
    queue.finish()
    queue.expect(undefined, 4)
    expect(queue.error).toMatchObject({ code: 'FCGI_ERR_BODY_TOO_LARGE' })
  })

  test('where there should be none', () => {
    const { queue } = input()
    push(queue, 'early')
    queue.expect(0, NONE)
    expect(queue).toMatchObject({ ended: true, queuedBytes: 0 })
  })
})
