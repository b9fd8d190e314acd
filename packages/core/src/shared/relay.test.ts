import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Exchange } from '../exchange/exchange.ts'
import { makeFolder, listen as serve } from '../testing/serving.ts'
import { relay } from './relay.ts'

async function listen(path: string, onConnection: (socket: Socket) => void, options = {}): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, ...options }, onConnection)
  server.listen(path)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return server
}

/** A relay to a holder that handles each connection with `onConnection`. Returns the connection of a front server, and the end of the relay. */
async function startRelay(onConnection: (socket: Socket) => void) {
  const folder = makeFolder()
  await listen(`${folder}/holder`, onConnection)
  const events = new EventEmitter()
  const closed = once(events, 'closed')
  const onAccept = (front: Socket): void =>
    relay(front, connect({ path: `${folder}/holder`, allowHalfOpen: true }), {
      onRefused: () => events.emit('error', new Error('refused')),
      onClosed: () => events.emit('closed'),
    })
  await listen(`${folder}/front`, onAccept, { pauseOnConnect: true })
  const front = connect({ path: `${folder}/front`, allowHalfOpen: true })
  onTestFinished(() => void front.destroy())
  return { front, closed }
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('messages larger than all buffers arrive complete in both directions', async () => {
  const sent = Buffer.from(Array.from({ length: 5_000_000 }, (_, i) => i % 251))
  const { front, closed } = await startRelay((socket) => socket.pipe(socket))
  front.end(sent)
  expect((await readAll(front)).equals(sent)).toBe(true)
  await closed
})

test('a front server that has ended its side still gets the response', async () => {
  const { front, closed } = await startRelay((socket) => {
    socket.resume().on('end', () => setImmediate(() => socket.end('response')))
  })
  front.end('request')
  expect((await readAll(front)).toString()).toBe('response')
  await closed
})

test('a response ends before the front server ends its side', async () => {
  const { front, closed } = await startRelay((socket) => socket.resume().end('response'))
  front.write('request')
  expect((await readAll(front)).toString()).toBe('response')
  front.end()
  await closed
})

test('if the holder breaks off, so does the connection of the front server, and the other way round', async () => {
  const holder = await startRelay((socket) => socket.once('data', () => socket.destroy()))
  holder.front.write('request')
  holder.front.resume().once('end', () => holder.front.end())
  await once(holder.front, 'close')
  await holder.closed
  const holders = new EventEmitter()
  const left = once(holders, 'left')
  const front = await startRelay((socket) => {
    const timer = setInterval(() => socket.write('event'), 5)
    socket.resume().on('error', () => {})
    socket.on('close', () => {
      clearInterval(timer)
      holders.emit('left')
    })
  })
  await once(front.front, 'data')
  front.front.destroy()
  await left
  await front.closed
})

test('if the holder refuses the connection, nothing of the request is lost', async () => {
  const folder = makeFolder()
  const events = new EventEmitter()
  const refused = once(events, 'refused')
  const onAccept = (front: Socket): void =>
    relay(front, connect(`${folder}/missing`), {
      onRefused: (socket) => events.emit('refused', socket),
      onClosed: () => {},
    })
  await listen(`${folder}/front`, onAccept, { pauseOnConnect: true })
  connect(`${folder}/front`).end('request')
  const [front] = await refused
  expect((await readAll(front)).toString()).toBe('request')
  front.destroy()
})

describe('over TCP, a front server that ends its side', () => {
  /** A request through a relay, whose front server has ended its side or, with `closes`, the whole connection. */
  async function startRequest({ closes }: { closes: boolean }): Promise<{ peer: Peer; exchange: Exchange }> {
    const begun = new EventEmitter()
    const called = once(begun, 'exchange')
    const { server } = await serve((exchange) => void begun.emit('exchange', exchange), {}, 'unix')
    const path = server.address() as string
    const relays = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (front) =>
      relay(front, connect({ path, allowHalfOpen: true }), { onRefused: () => {}, onClosed: () => {} }),
    )
    relays.listen(0, '127.0.0.1')
    await once(relays, 'listening')
    onTestFinished(() => void relays.close())
    const { port } = relays.address() as AddressInfo
    const peer = await Peer.connect({ port, host: '127.0.0.1' })
    onTestFinished(() => peer.destroy())
    peer.get(1)
    const [exchange] = await called
    if (closes) peer.destroy()
    else peer.socket.end()
    return { peer, exchange }
  }

  test('and has closed the connection is found out by the probe of the holder', async () => {
    const { exchange } = await startRequest({ closes: true })
    if (!exchange.signal.aborted) await once(exchange.signal, 'abort')
  })

  test('and waits gets the response, after several probes', async () => {
    const { peer, exchange } = await startRequest({ closes: false })
    await peer.until(() => peer.reads >= 3, 'three probes')
    exchange.writeHead(200, [])
    exchange.end('the response')
    expect((await peer.response(1)).stdout).toContain('the response')
  })
})
