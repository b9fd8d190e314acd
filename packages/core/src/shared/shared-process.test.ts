import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Listener } from '../listen/listener.ts'
import { listening } from '../listen/net-server.ts'
import { OpenSocket } from '../listen/open-socket.ts'
import { closed, makeFolder } from '../testing/serving.ts'
import { Claims } from './claims.ts'
import { SharedProcess } from './shared-process.ts'

/** Starts a process that sends everything back. It does not run until `resume` is called, and its queue is full. */
async function startBusyHolder(path: string): Promise<{ resume: () => void }> {
  const program = `import { createServer } from 'node:net'
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
    server.listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log('listens'))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  for (let isFull = false; !isFull; ) {
    const socket = connect({ path })
    onTestFinished(() => void socket.destroy())
    isFull = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
    })
  }
  return { resume: () => void child.kill('SIGCONT') }
}

/** Starts a process, within this one, that relays connections at `path`. `accepted` receives them. */
async function startRelay(claims: Claims, path: string): Promise<{ accepted: Socket[] }> {
  const accepted: Socket[] = []
  let server!: Server
  const front = await OpenSocket.open(
    (opening) => {
      server = opening
      return listening(server, () => server.listen({ path }))
    },
    (opening) => new Listener(opening, {}),
  )
  server.prependListener('connection', (socket) => accepted.push(socket))
  const signals = ['SIGTERM', 'SIGUSR1', 'SIGINT']
  const before = signals.map((signal) => new Set(process.listeners(signal as NodeJS.Signals)))
  void new SharedProcess(claims, front, undefined).run()
  onTestFinished(() => {
    signals.forEach((signal, index) => {
      for (const listener of process.listeners(signal as NodeJS.Signals)) {
        if (!before[index]!.has(listener)) process.removeListener(signal, listener)
      }
    })
    for (const socket of accepted) socket.destroy()
    return front.listener.close()
  })
  return { accepted }
}

test('while the holder is busy, a relay drops a connection that the front server has closed, and keeps a half-closed one', async () => {
  const folder = makeFolder()
  const claims = new Claims(folder)
  const holder = await startBusyHolder(join(claims.folder, 'app.1'))
  const path = join(folder, 'front.sock')
  const { accepted } = await startRelay(claims, path)
  const halfClosed = connect({ path, allowHalfOpen: true }).end('a request')
  onTestFinished(() => void halfClosed.destroy())
  await vi.waitUntil(() => accepted.length === 1)
  const gone = connect({ path })
  await vi.waitUntil(() => accepted.length === 2)
  gone.end('another one')
  gone.destroy()
  await closed(accepted[1]!)
  holder.resume()
  expect(await text(halfClosed)).toBe('a request')
  expect(claims.latest()).toBe(1)
})
