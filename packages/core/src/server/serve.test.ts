// serve() in this process; what it does as a program is in tests/listen.test.ts, and in conformance/process.test.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Peer } from '../testing/peer.ts'
import { App, echo, makeFolder } from '../testing/serving.ts'
import type { Handler } from './exchange.ts'
import { type ServeOptions, serve } from './serve.ts'
import type { FastCgiServer } from './server.ts'

async function start(handler: Handler, options: ServeOptions = {}): Promise<FastCgiServer> {
  const server = await serve(handler, { port: 0, handleSignals: false, ...options })
  onTestFinished(() => server.close())
  return server
}

test('settles when it listens, and onListen is told where', async () => {
  const heard: unknown[] = []
  const server = await start(echo, { onListen: (address) => heard.push(address) })
  expect(heard).toEqual([server.address()])
  const peer = await Peer.connect(server.address() as { port: number })
  onTestFinished(() => peer.destroy())
  peer.get(1)
  expect((await peer.answer(1)).stdout).toMatch(/GET \/ $/)
})

test('passes path and mode on', async () => {
  const path = join(makeFolder(), 'app.sock')
  const server = await serve(echo, { path, mode: 0o600, handleSignals: false })
  expect(server.address()).toBe(path)
  await server.close()
})

test('rejects where it can not listen, and leaves nothing behind', async () => {
  const server = await start(echo)
  const { port } = server.address() as { port: number }
  await expect(serve(echo, { port, handleSignals: false })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await expect(serve(echo, { port, maxRequests: 0 })).rejects.toThrow('The option maxRequests is 0')
  expect(process.listenerCount('SIGTERM')).toBe(0)
})

describe('the option signal', () => {
  test('closes the server, which finishes what runs', async () => {
    const controller = new AbortController()
    const app = new App()
    const server = await start(app.handler, { signal: controller.signal })
    const peer = await Peer.connect(server.address() as { port: number })
    onTestFinished(() => peer.destroy())
    peer.get(1)
    const exchange = await app.next()
    const closed = once(server, 'close')
    controller.abort()
    expect(server.address()).toBeNull()
    exchange.end('finished')
    expect((await peer.answer(1)).stdout).toMatch(/finished$/)
    peer.destroy()
    await closed
  })

  test('aborted before: nothing is started', async () => {
    const reason = new Error('not now')
    await expect(serve(echo, { port: 0, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('aborted while it starts: it closes', async () => {
    const controller = new AbortController()
    const starting = serve(echo, { port: 0, handleSignals: false, signal: controller.signal })
    controller.abort()
    const server = await starting
    await server.close()
    expect(server.address()).toBeNull()
  })

  test('a server that closed before is not held by it', async () => {
    const { signal } = new AbortController()
    const added: unknown[] = []
    const removed: unknown[] = []
    signal.addEventListener = (_: string, listener: unknown) => void added.push(listener)
    signal.removeEventListener = (_: string, listener: unknown) => void removed.push(listener)
    const server = await start(echo, { signal })
    await server.close()
    expect(removed).toEqual(added)
  })
})

test('signals are handled until the server has closed', async () => {
  const names = ['SIGTERM', 'SIGUSR1', 'SIGINT'] as const
  const counts = (): number[] => names.map((name) => process.listenerCount(name))
  const before = counts()
  const server = await start(echo, { handleSignals: true })
  expect(counts()).toEqual(before.map((count) => count + 1))
  await server.close()
  expect(counts()).toEqual(before)
})

test.each([
  ['SIGTERM', 0],
  ['an exception', 1],
])('%s ends a program when all of its servers have finished what runs', async (cause, status) => {
  const program = `import { serve } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
    const answer = (exchange) => {
      if (exchange.target === '/throw') setTimeout(() => { throw new Error('thrown behind the answer') })
      if (exchange.target !== '/wait') return exchange.end('done')
      process.once('message', () => exchange.end('finished'))
      process.send('waits')
    }
    const servers = [await serve(answer, { port: 0 }), await serve(answer, { port: 0 })]
    process.send(servers.map((server) => server.address().port))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  child.stderr!.on('data', (text) => (printed += text))
  const exited = once(child, 'exit')
  const [[first, second]] = await once(child, 'message')
  const waiting = await Peer.connect({ port: second })
  onTestFinished(() => waiting.destroy())
  waiting.get(1, { REQUEST_URI: '/wait' })
  await once(child, 'message')
  if (cause === 'SIGTERM') child.kill('SIGTERM')
  else {
    const thrower = await Peer.connect({ port: first })
    onTestFinished(() => thrower.destroy())
    thrower.get(1, { REQUEST_URI: '/throw' })
  }
  const connecting = async (): Promise<void> => (await Peer.connect({ port: second })).destroy()
  await expect.poll(() => connecting().catch(({ code }) => code)).toBe('ECONNREFUSED')
  child.send('go')
  expect((await waiting.answer(1)).stdout).toMatch(/finished$/)
  expect(await exited).toEqual([status, null])
  expect(printed).toMatch(status === 0 ? /^$/ : /^Error: thrown behind the answer\n +at /)
})

test('a program ends after others who handle its signal, as monitoring tools do, but at most a second later', async () => {
  const program = (
    work: string,
  ) => `import { serve } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
    process.on('SIGTERM', async () => { ${work} })
    await serve((exchange) => exchange.end('done'), { port: 0 })
    process.send('listening')`
  const run = async (work: string): Promise<string> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(work)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let printed = ''
    child.stdout!.on('data', (text) => (printed += text))
    await once(child, 'message')
    // Both, because a child whose channel was disconnected emits no 'close'.
    const exited = Promise.all([once(child, 'exit'), once(child.stdout!, 'end')])
    child.disconnect()
    child.kill('SIGTERM')
    expect((await exited)[0]).toEqual([0, null])
    return printed
  }
  // Reaching the next phases of the event loop takes longer than closing the server does.
  const steps = 'for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 2))'
  expect(await run(`${steps}; console.log('sent')`)).toBe('sent\n')
  expect(await run('setInterval(() => {}, 1000)')).toBe('')
})
