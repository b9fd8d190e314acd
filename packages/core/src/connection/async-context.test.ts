// Tests that no request sees the async context of another request on the same connection.

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

/** Records the value of the store for each request, by its target and the position in the code. */
class StoreLog {
  readonly store = new AsyncLocalStorage<string>()
  readonly values: Record<string, string | undefined> = {}

  /** Records the store at `where`, then sets it to this request's target. */
  enter(exchange: Exchange, where: string): void {
    this.record(exchange, where)
    this.store.enterWith(exchange.target)
  }

  /** Records the store at `where`. */
  record({ target }: Exchange, where: string): void {
    this.values[`${target} ${where}`] = this.store.getStore()
  }

  /** The recorded values that another request had set. */
  get leaks(): [where: string, store: string][] {
    return Object.entries(this.values).filter(
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

  test('requests of one read do not see the stores of each other', async () => {
    const log = new StoreLog()
    const peer = await open((exchange) => {
      log.enter(exchange, 'handler')
      exchange.end('', () => log.enter(exchange, 'end'))
    })
    const ids = [1, 2, 3]
    peer.write(...ids.map((id) => get(id, { REQUEST_URI: `/${id}` }, KEEP)))
    for (const id of ids) await peer.response(id)
    expect(log.values).toEqual({
      '/1 handler': undefined,
      '/2 handler': undefined,
      '/3 handler': undefined,
      '/1 end': '/1',
      '/2 end': '/2',
      '/3 end': '/3',
    })
  })

  test('consecutive requests with bodies in pieces do not see the stores of each other', async () => {
    const log = new StoreLog()
    const peer = await open((exchange) => {
      log.enter(exchange, 'handler')
      let length = 0
      const read = (): void => {
        log.enter(exchange, `${length} bytes`)
        length += exchange.stdin.read()?.length ?? 0
        if (length === 4) exchange.end('done', () => log.enter(exchange, 'end'))
        else exchange.write('more', () => log.enter(exchange, 'write'))
      }
      exchange.stdin.onReadable = read
      read()
    })
    for (const target of ['/1', '/2', '/3']) {
      peer.write(post(1, target, 4), stream(TYPES.STDIN, 1, 'ab'))
      await peer.stdout(1, 'more')
      peer.write(stream(TYPES.STDIN, 1, 'cd'), record(TYPES.STDIN, 1))
      expect((await peer.response(1)).stdout).toContain('moredone')
      peer.forget()
    }
    for (const target of ['/1', '/2', '/3']) expect(log.values[`${target} handler`]).toBeUndefined()
    expect(log.leaks).toEqual([])
  })

  test('requests with interleaved bodies do not see the stores of each other', async () => {
    const log = new StoreLog()
    const peer = await open((exchange) => {
      log.record(exchange, 'handler')
      let text = ''
      exchange.stdin.onReadable = () => {
        text += exchange.stdin.read() ?? ''
        log.enter(exchange, text)
        if (text === 'abc') exchange.end()
      }
    })
    peer.write(post(1, '/1', 3), post(2, '/2', 3))
    await until(() => Object.keys(log.values).length === 2)
    for (const piece of ['a', 'b', 'c']) {
      peer.write(stream(TYPES.STDIN, 1, piece), stream(TYPES.STDIN, 2, piece))
    }
    peer.write(record(TYPES.STDIN, 1), record(TYPES.STDIN, 2), get(3, { REQUEST_URI: '/3' }, KEEP))
    await peer.response(1)
    await peer.response(2)
    await until(() => '/3 handler' in log.values)
    expect(log.leaks).toEqual([])
  })

  test("a request's own context reaches its timers, ticks and promises", async () => {
    const log = new StoreLog()
    const peer = await open(async (exchange) => {
      log.enter(exchange, 'handler')
      process.nextTick(() => log.record(exchange, 'tick'))
      queueMicrotask(() => log.record(exchange, 'microtask'))
      const recorded = (where: string, wait: (callback: () => void) => unknown): Promise<void> =>
        new Promise((resolve) => {
          wait(() => {
            log.record(exchange, where)
            resolve()
          })
        })
      await Promise.all([recorded('timer', setTimeout), recorded('immediate', setImmediate)])
      log.record(exchange, 'await')
      exchange.end()
    })
    peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
    await peer.response(1)
    await peer.response(2)
    for (const target of ['/1', '/2']) {
      for (const where of ['timer', 'immediate', 'tick', 'microtask', 'await']) {
        expect(log.values[`${target} ${where}`], where).toBe(target)
      }
    }
  })

  test('a callback runs in the context of its write, also if the socket buffers writes of several requests', async () => {
    const log = new StoreLog()
    const exchanges: Exchange[] = []
    const peer = await open((exchange) => void exchanges.push(exchange))
    peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
    await until(() => exchanges.length === 2)
    for (let i = 0; i < 20; i++) {
      for (const exchange of exchanges) {
        log.store.run(exchange.target, () => {
          exchange.write(Buffer.alloc(MEGABYTE / 4), () => log.record(exchange, `write ${i}`))
        })
      }
    }
    for (const exchange of exchanges) {
      log.store.run(exchange.target, () => exchange.end('', () => log.record(exchange, 'end')))
    }
    await peer.response(1)
    await peer.response(2)
    await until(() => Object.keys(log.values).length === 42)
    for (const [where, store] of Object.entries(log.values)) expect(store, where).toBe(where.split(' ')[0])
  })

  test('onDrain runs in the context of the write that returned false', async () => {
    const log = new StoreLog()
    const drained = [deferred(), deferred()]
    const exchanges: Exchange[] = []
    const peer = await open((exchange) => void exchanges.push(exchange))
    peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
    await until(() => exchanges.length === 2)
    exchanges.forEach((exchange, index) => {
      log.store.run(exchange.target, () => {
        while (exchange.write(Buffer.alloc(MEGABYTE)));
      })
      exchange.onDrain = () => {
        log.enter(exchange, 'drain')
        drained[index]!.resolve()
      }
    })
    await Promise.all(drained.map(({ promise }) => promise))
    expect(log.values).toEqual({ '/1 drain': '/1', '/2 drain': '/2' })
  })

  test('the hooks of an abort run in the context of their request', async () => {
    const log = new StoreLog()
    const aborted = [deferred(), deferred()]
    let begun = 0
    const peer = await open((exchange) => {
      const index = exchange.requestId - 1
      begun++
      exchange.onAbort = () => log.enter(exchange, 'onAbort')
      exchange.stdin.onReadable = () => log.enter(exchange, 'readable')
      exchange.signal.addEventListener('abort', () => {
        log.enter(exchange, 'signal')
        aborted[index]!.resolve()
      })
    })
    peer.write(post(1, '/1', 3), post(2, '/2', 3))
    await until(() => begun === 2)
    if (transport === 'memory') peer.halfClose()
    else peer.destroy()
    await Promise.all(aborted.map(({ promise }) => promise))
    expect(Object.keys(log.values)).toHaveLength(6)
    expect(log.leaks).toEqual([])
  })
})

test('onError runs in the context of the request that failed', async () => {
  const log = new StoreLog()
  const { peer } = await connected(
    (exchange) => {
      log.enter(exchange, 'handler')
      throw new Error('oops')
    },
    { onError: (_, exchange) => log.enter(exchange, 'onError') },
  )
  peer.write(get(1, { REQUEST_URI: '/1' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
  await peer.response(1)
  await peer.response(2)
  expect(log.values).toEqual({
    '/1 handler': undefined,
    '/1 onError': '/1',
    '/2 handler': undefined,
    '/2 onError': '/2',
  })
})

test('a store that onError sets for a refused request is not visible to the next request', async () => {
  const log = new StoreLog()
  const { peer } = await connected(
    (exchange) => {
      log.record(exchange, 'handler')
      exchange.end()
    },
    { onError: () => log.store.enterWith('refused') },
  )
  peer.write(get(1, { REQUEST_METHOD: 'NO METHOD' }, KEEP), get(2, { REQUEST_URI: '/2' }, KEEP))
  await peer.response(2)
  peer.get(3, { REQUEST_URI: '/3' }, KEEP)
  await peer.response(3)
  expect(log.values).toEqual({ '/2 handler': undefined, '/3 handler': undefined })
})

test('data that is read after a request resumed the socket does not run in the context of that request', async () => {
  stopClock('setTimeout')
  const log = new StoreLog()
  const stopped = deferred<Exchange>()
  const { peer, sockets } = await connected((exchange) => {
    log.enter(exchange, 'handler')
    if (exchange.method === 'POST') stopped.resolve(exchange)
    else exchange.end()
  })
  const size = 4 * MEGABYTE
  peer.write(post(1, '/1', size), stream(TYPES.STDIN, 1, Buffer.alloc(size)), record(TYPES.STDIN, 1))
  peer.get(2, { REQUEST_URI: '/2' }, KEEP)
  const exchange = await stopped.promise
  const [socket] = sockets
  if (!socket!.isPaused()) await once(socket!, 'pause')
  await log.store.run('/1', () => readAll(exchange.stdin))
  exchange.end()
  await peer.response(2)
  expect(log.values['/2 handler']).toBeUndefined()
})

test('requests see the async context in which listen was called, as with node:http', async () => {
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
    requestFastCgi(await Peer.connect(fastcgi.address() as AddressInfo)),
  ])
  http.close()
  await fastcgi.close()
  expect(responses[1]).toBe(responses[0])
})

test('requests on a stream passed to acceptStream see the async context of that call, as with node:http', async () => {
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
  expect(await requestFastCgi(new Peer(front))).toBe(text.slice(text.indexOf('\r\n\r\n') + 4))
})

async function requestFastCgi(peer: Peer): Promise<string> {
  const { stdout } = await peer.get(1, {}, KEEP).response(1)
  peer.destroy()
  return stdout.slice(stdout.indexOf('\r\n\r\n') + 4)
}
