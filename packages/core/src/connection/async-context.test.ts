// One request's async context is never visible to another, whatever shares their connection.

import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { duplexPair } from 'node:stream'
import { begin, bytes, get, Peer, POST, params, record, stream, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import type { Exchange } from '../exchange/exchange.ts'
import { createServer } from '../server/server.ts'
import { connected, deferred, joined, readAll, stopClock, TRANSPORTS } from '../testing/serving.ts'

const KEEP = { keepConn: true }
const MEGABYTE = 1024 * 1024

/** What each request saw of the store, by its target and by where it looked. */
class Seen {
  readonly store = new AsyncLocalStorage<string>()
  readonly by: Record<string, string | undefined> = {}

  /** Notes what is visible at `where`, and then makes it this request's own. */
  enter({ target }: Exchange, where: string): void {
    this.by[`${target} ${where}`] = this.store.getStore()
    this.store.enterWith(target)
  }

  note({ target }: Exchange, where: string): void {
    this.by[`${target} ${where}`] = this.store.getStore()
  }

  /** Everything that another request than the one that looked had set. */
  get leaks(): [where: string, store: string][] {
    return Object.entries(this.by).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== entry[0].split(' ')[0],
    )
  }
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise(setImmediate)
}

function post(id: number, target: string, length: number): Buffer {
  const list = { ...POST, REQUEST_URI: target, CONTENT_LENGTH: String(length) }
  return bytes(begin(id, KEEP), params(id, list))
}

describe.each([...TRANSPORTS, 'memory'] as const)('over %s', (transport) => {
  async function open(handler: (exchange: Exchange) => void): Promise<Peer> {
    if (transport === 'memory') return joined(createServer(handler, { onError() {} }))
    const { peer } = await connected(handler, {}, transport)
    return peer
  }

  test('requests of one read see nothing of one another', async () => {
    const seen = new Seen()
    const peer = await open((exchange) => {
      seen.enter(exchange, 'handler')
      exchange.end('', () => seen.enter(exchange, 'end'))
    })
    const ids = [1, 2, 3]
    peer.write(...ids.map((id) => get(id, { REQUEST_URI: `/${id}` }, KEEP)))
    for (const id of ids) await peer.answer(id)
    expect(seen.by).toEqual({
      '/1 handler': undefined,
      '/2 handler': undefined,
      '/3 handler': undefined,
      '/1 end': '/1',
      '/2 end': '/2',
      '/3 end': '/3',
    })
  })

  test('nor do requests in turn on one connection, whose bodies came in pieces', async () => {
    const seen = new Seen()
    const peer = await open((exchange) => {
      seen.enter(exchange, 'handler')
      let length = 0
      const read = (): void => {
        seen.enter(exchange, `${length} bytes`)
        length += exchange.stdin.read()?.length ?? 0
        if (length === 4) exchange.end('done', () => seen.enter(exchange, 'end'))
        else exchange.write('more', () => seen.enter(exchange, 'write'))
      }
      exchange.stdin.onReadable = read
      read()
    })
    for (const target of ['/1', '/2', '/3']) {
      peer.write(post(1, target, 4), stream(TYPES.STDIN, 1, 'ab'))
      await peer.stdout(1, 'more')
      peer.write(stream(TYPES.STDIN, 1, 'cd'), record(TYPES.STDIN, 1))
      expect((await peer.answer(1)).stdout).toContain('moredone')
      peer.forget()
    }
    for (const target of ['/1', '/2', '/3']) expect(seen.by[`${target} handler`]).toBeUndefined()
    expect(seen.leaks).toEqual([])
  })

  test('nor do interleaved bodies', async () => {
    const seen = new Seen()
    const peer = await open((exchange) => {
      seen.note(exchange, 'handler')
      let text = ''
      exchange.stdin.onReadable = () => {
        text += exchange.stdin.read() ?? ''
        seen.enter(exchange, text)
        if (text === 'abc') exchange.end()
      }
    })
    peer.write(post(1, '/1', 3), post(2, '/2', 3))
    await until(() => Object.keys(seen.by).length === 2)
    for (const piece of ['a', 'b', 'c']) {
      peer.write(stream(TYPES.STDIN, 1, piece), stream(TYPES.STDIN, 2, piece))
    }
    peer.write(record(TYPES.STDIN, 1), record(TYPES.STDIN, 2), get(3, { REQUEST_URI: '/3' }, KEEP))
    await peer.answer(1)
    await peer.answer(2)
    await until(() => '/3 handler' in seen.by)
    expect(seen.leaks).toEqual([])
  })

  test("a request's own context reaches its timers, ticks and promises", async () => {
    const seen = new Seen()
    const peer = await open(async (exchange) => {
      seen.enter(exchange, 'handler')
      setTimeout(() => seen.note(exchange, 'timer'))
      setImmediate(() => seen.note(exchange, 'immediate'))
      process.nextTick(() => seen.note(exchange, 'tick'))
      queueMicrotask(() => seen.note(exchange, 'microtask'))
      await new Promise((resolve) => setTimeout(resolve, 2))
      seen.note(exchange, 'await')
      exchange.end()
    })
    peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
    await peer.answer(1)
    await peer.answer(2)
    for (const target of ['/1', '/2']) {
      for (const where of ['timer', 'immediate', 'tick', 'microtask', 'await']) {
        expect(seen.by[`${target} ${where}`], where).toBe(target)
      }
    }
  })

  test('a callback runs in the context of its write, also where writes of several requests wait together', async () => {
    const seen = new Seen()
    const exchanges: Exchange[] = []
    const peer = await open((exchange) => void exchanges.push(exchange))
    peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
    await until(() => exchanges.length === 2)
    for (let i = 0; i < 20; i++) {
      for (const exchange of exchanges) {
        seen.store.run(exchange.target, () => {
          exchange.write(Buffer.alloc(MEGABYTE / 4), () => seen.note(exchange, `write ${i}`))
        })
      }
    }
    for (const exchange of exchanges) {
      seen.store.run(exchange.target, () => exchange.end('', () => seen.note(exchange, 'end')))
    }
    await peer.answer(1)
    await peer.answer(2)
    await until(() => Object.keys(seen.by).length === 42)
    for (const [where, store] of Object.entries(seen.by)) expect(store, where).toBe(where.split(' ')[0])
  })

  test('onDrain runs in the context of the write that has to wait', async () => {
    const seen = new Seen()
    const drained = [deferred(), deferred()]
    const exchanges: Exchange[] = []
    const peer = await open((exchange) => void exchanges.push(exchange))
    peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
    await until(() => exchanges.length === 2)
    exchanges.forEach((exchange, index) => {
      seen.store.run(exchange.target, () => {
        while (exchange.write(Buffer.alloc(MEGABYTE)));
      })
      exchange.onDrain = () => {
        seen.enter(exchange, 'drain')
        drained[index]!.resolve()
      }
    })
    await Promise.all(drained.map(({ promise }) => promise))
    expect(seen.by).toEqual({ '/1 drain': '/1', '/2 drain': '/2' })
  })

  test('aborts run each in the context of their request', async () => {
    const seen = new Seen()
    const aborted = [deferred(), deferred()]
    let begun = 0
    const peer = await open((exchange) => {
      const index = exchange.requestId - 1
      begun++
      exchange.onAbort = () => seen.enter(exchange, 'onAbort')
      exchange.stdin.onReadable = () => seen.enter(exchange, 'readable')
      exchange.signal.addEventListener('abort', () => {
        seen.enter(exchange, 'signal')
        aborted[index]!.resolve()
      })
    })
    peer.write(post(1, '/1', 3), post(2, '/2', 3))
    await until(() => begun === 2)
    if (transport === 'memory') peer.halfClose()
    else peer.destroy()
    await Promise.all(aborted.map(({ promise }) => promise))
    expect(Object.keys(seen.by)).toHaveLength(6)
    expect(seen.leaks).toEqual([])
  })
})

test('a handler that throws is reported in its own context', async () => {
  const seen = new Seen()
  const { peer } = await connected(
    (exchange) => {
      seen.enter(exchange, 'handler')
      throw new Error('oops')
    },
    { onError: (_, exchange) => seen.enter(exchange, 'onError') },
  )
  peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
  await peer.answer(1)
  await peer.answer(2)
  expect(seen.by).toEqual({
    '/1 handler': undefined,
    '/1 onError': '/1',
    '/2 handler': undefined,
    '/2 onError': '/2',
  })
})

test('onError for a refused request leaves nothing for the next one', async () => {
  const seen = new Seen()
  const { peer } = await connected(
    (exchange) => {
      seen.note(exchange, 'handler')
      exchange.end()
    },
    { onError: () => seen.store.enterWith('refused') },
  )
  peer.write(get(1, { REQUEST_METHOD: 'NO METHOD' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
  await peer.answer(2)
  peer.get(3, { REQUEST_URI: '/3' }, KEEP)
  await peer.answer(3)
  expect(seen.by).toEqual({ '/2 handler': undefined, '/3 handler': undefined })
})

test('a request that resumes the socket does not lend its context to what is then read', async () => {
  stopClock('setTimeout')
  const seen = new Seen()
  const stopped = deferred<Exchange>()
  const { peer, sockets } = await connected((exchange) => {
    seen.enter(exchange, 'handler')
    if (exchange.method === 'POST') stopped.resolve(exchange)
    else exchange.end()
  })
  const size = 4 * MEGABYTE
  peer.write(post(1, '/1', size), stream(TYPES.STDIN, 1, Buffer.alloc(size)), record(TYPES.STDIN, 1))
  peer.get(2, { REQUEST_URI: '/2' }, KEEP)
  const exchange = await stopped.promise
  const [socket] = sockets
  if (!socket!.isPaused()) await once(socket!, 'pause')
  await seen.store.run('/1', () => readAll(exchange.stdin))
  exchange.end()
  await peer.answer(2)
  expect(seen.by['/2 handler']).toBeUndefined()
})

test('the context of the program around the server reaches requests as with node:http', async () => {
  const store = new AsyncLocalStorage<string>()
  const http = createHttpServer((_, response) => void response.end(String(store.getStore())))
  const fastcgi = createServer((exchange) => exchange.end(String(store.getStore())))
  await store.run('listen', async () => {
    await once(http.listen(0, '127.0.0.1'), 'listening')
    await fastcgi.listen({ port: 0 })
  })
  const { port } = http.address() as AddressInfo
  const responses = await Promise.all([
    fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } }).then((response) =>
      response.text(),
    ),
    askFastCgi(await Peer.connect(fastcgi.address() as AddressInfo)),
  ])
  http.close()
  await fastcgi.close()
  expect(responses[1]).toBe(responses[0])
})

test('requests on a stream that was handed over see the context of the caller, as with node:http', async () => {
  const store = new AsyncLocalStorage<string>()
  const http = createHttpServer((_, response) => void response.end(String(store.getStore())))
  const fastcgi = createServer((exchange) => exchange.end(String(store.getStore())))
  const [client, served] = duplexPair()
  const [front, accepted] = duplexPair()
  store.run('stream', () => {
    http.emit('connection', served)
    fastcgi.acceptStream(accepted)
  })
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let text = ''
  for await (const chunk of client) text += chunk
  expect(await askFastCgi(new Peer(front))).toBe(text.slice(text.indexOf('\r\n\r\n') + 4))
})

async function askFastCgi(peer: Peer): Promise<string> {
  const { stdout } = await peer.get(1, {}, KEEP).answer(1)
  peer.destroy()
  return stdout.slice(stdout.indexOf('\r\n\r\n') + 4)
}
