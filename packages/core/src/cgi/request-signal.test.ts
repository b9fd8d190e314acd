import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { abortRequest, createWithController } from './request-signal.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void

// Two collections: an object that survives the first is moved to the old space by the second.
function oldSpaceAfterMinorCollections(): number {
  collectGarbage({ type: 'minor' })
  collectGarbage({ type: 'minor' })
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size
}

const URL = 'http://front.test/'
const { AbortController: Platform } = globalThis

afterEach(() => {
  globalThis.AbortController = Platform
})

describe('a Request', () => {
  it('has the signal of the controller, and leaves the global as it is', () => {
    const controller = new AbortController()
    const request = createWithController(URL, { method: 'POST', body: 'text' }, controller)
    expect(request.signal).toBe(controller.signal)
    expect(globalThis.AbortController).toBe(Platform)
  })

  it('has an aborted signal if the controller is aborted', () => {
    const controller = new AbortController()
    controller.abort('gone')
    expect(createWithController(URL, {}, controller).signal).toMatchObject({ aborted: true, reason: 'gone' })
  })

  it('is created by the class that the app has put in the place of the global', () => {
    class Replaced extends Platform {}
    globalThis.AbortController = Replaced
    createWithController(URL, {}, new Platform())
    expect(globalThis.AbortController).toBe(Replaced)
  })

  it('is freed by minor collections, with everything that it refers to', () => {
    const create = (): void => {
      for (let i = 0; i < 100; i++) {
        Object.assign(createWithController(URL, {}, new AbortController()), {
          large: new Array(1000).fill(0),
        })
      }
    }
    for (let i = 0; i < 20; i++) create()
    collectGarbage({ type: 'major' })
    const before = oldSpaceAfterMinorCollections()
    create()
    expect(oldSpaceAfterMinorCollections() - before).toBeLessThan(100 * 1000)
  })

  it('leaves the global as it is if the constructor throws', () => {
    expect(() => createWithController(URL, { method: 'TRACE' }, new AbortController())).toThrow(TypeError)
    expect(() => createWithController('invalid', {}, new AbortController())).toThrow(TypeError)
    expect(globalThis.AbortController).toBe(Platform)
    expect(new AbortController()).toBeInstanceOf(Platform)
  })
})

describe('abortRequest', () => {
  it('aborts the Request, each clone, and each Request that was created from one, once and with the same reason', () => {
    const controller = new AbortController()
    const request = createWithController(URL, {}, controller)
    const clone = request.clone()
    const all = [
      request,
      clone,
      clone.clone(),
      new Request(request),
      new Request(clone),
      new Request(URL, request),
    ]
    const reasons: unknown[] = []
    for (const { signal } of all) signal.addEventListener('abort', () => reasons.push(signal.reason))
    const reason = new Error('gone')
    abortRequest(controller, reason)
    expect(reasons).toEqual(all.map(() => reason))
    abortRequest(controller, new Error('again'))
    expect(reasons).toHaveLength(all.length)
    expect(request.clone().signal.reason).toBe(reason)
    expect(globalThis.AbortController).toBe(Platform)
  })

  it('aborts no other Request', () => {
    const [one, other] = [new AbortController(), new AbortController()]
    const requests = [createWithController(URL, {}, one), createWithController(URL, {}, other)]
    const clones = requests.map((request) => request.clone())
    abortRequest(one, 'gone')
    expect([...requests, ...clones].map(({ signal }) => signal.aborted)).toEqual([true, false, true, false])
  })
})

// Last, because the functions do not try again.
it('works if the global cannot be replaced', () => {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'AbortController')!
  Object.defineProperty(globalThis, 'AbortController', { ...descriptor, writable: false })
  try {
    const controller = new AbortController()
    const clone = createWithController(URL, {}, controller).clone()
    abortRequest(controller, 'gone')
    expect(clone.signal).toMatchObject({ aborted: true, reason: 'gone' })
  } finally {
    Object.defineProperty(globalThis, 'AbortController', descriptor)
  }
  const later = new AbortController()
  const { signal } = createWithController(URL, {}, later)
  abortRequest(later, 'gone')
  expect(signal.reason).toBe('gone')
})
