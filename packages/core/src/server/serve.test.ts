// Most of these tests call serve() in this process. tests/programs/listen.test.ts and ../conformance/process.test.ts start programs.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Handler } from '../exchange/exchange.ts'
import type { ListenOptions } from '../listen/listen-options.ts'
import { App, echo, makeFolder } from '../testing/serving.ts'
import { type ServeOptions, serve } from './serve.ts'
import type { FastCgiServer } from './server.ts'

type OptionsWithoutAddress = Omit<ServeOptions, keyof ListenOptions>

async function start(handler: Handler, options: OptionsWithoutAddress = {}): Promise<FastCgiServer> {
  const server = await serve(handler, { port: 0, handleSignals: false, ...options })
  onTestFinished(() => server.close())
  return server
}

test('settles when it listens, and calls onListen with the address', async () => {
  const heard: unknown[] = []
  const server = await start(echo, { onListen: (address) => heard.push(address) })
  expect(heard).toEqual([server.address()])
  const peer = await Peer.connect(server.address() as { port: number })
  onTestFinished(() => peer.destroy())
  peer.get(1)
  expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
})

test('listens on a path with a mode', async () => {
  const path = join(makeFolder(), 'app.sock')
  const server = await serve(echo, { path, mode: 0o600, handleSignals: false })
  expect(server.address()).toBe(path)
  expect(lstatSync(path).mode & 0o777).toBe(0o600)
  await server.close()
})

const SIGNALS = ['SIGTERM', 'SIGUSR1', 'SIGINT'] as const
const signalListeners = (): number[] => SIGNALS.map((name) => process.listenerCount(name))

test('rejects if it cannot listen, and adds no signal listeners', async () => {
  const server = await start(echo)
  const { port } = server.address() as { port: number }
  const before = signalListeners()
  await expect(serve(echo, { port, handleSignals: false })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await expect(serve(echo, { port, handleSignals: true })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await expect(serve(echo, { port, maxRequests: 0 })).rejects.toThrow('The option maxRequests must be')
  expect(process.listenerCount('SIGTERM')).toBe(0)
  expect(signalListeners()).toEqual(before)
})

describe('invalid options are refused', () => {
  const message = (options: unknown): Promise<string> =>
    serve(echo, options as ServeOptions).then(
      async (server) => {
        await server.close()
        return 'it listens'
      },
      (error: Error) => `${error.name}: ${error.message}`,
    )

  test.each([
    [9000, 'TypeError: The options must be an object, not 9000. Write { port: 9000 }.'],
    ['9000', "TypeError: The options must be an object, not '9000'. Write { port: 9000 }."],
    ['0.0.0.0:9000', /Write \{ port: 9000, host: '0\.0\.0\.0' \}\.$/],
    ['/run/app.sock', /Write \{ path: '\/run\/app\.sock' \}\.$/],
    ['somewhere', /Write \{ port: 9000 \} or \{ path: '\/run\/app\.sock' \}\.$/],
    [() => {}, /^TypeError: The options must be an object, not a function.*onListen/],
    [null, /^TypeError: The options must be an object, not null/],
    [true, /^TypeError: The options must be an object, not true/],
    [[9000], /^TypeError: The options must be an object, not an array/],
  ])('%j instead of an object', async (options, expected) => {
    expect(await message(options)).toMatch(expected)
  })

  test.each([
    ['prot', 'port'],
    ['Port', 'port'],
    ['hostname', 'host'],
    ['socket', 'path'],
    ['maxBodySize', 'maxBodyBytes'],
    ['maxbodybytes', 'maxBodyBytes'],
    ['onlisten', 'onListen'],
    ['handleSignal', 'handleSignals'],
    ['idleTimeOut', 'idleTimeout'],
  ])('the unknown option %s, with the nearest one as a suggestion', async (name, near) => {
    expect(await message({ port: 0, [name]: 1 })).toBe(
      `TypeError: There is no option '${name}'. Did you mean '${near}'?`,
    )
  })

  test('an unknown option that resembles none, with a list of all', async () => {
    expect(await message({ port: 0, zzzzzzzzzz: 1 })).toMatch(
      /'zzzzzzzzzz'\. The options are port, host, .*onError\.$/,
    )
  })

  test('but an undefined option and a class instance are accepted', async () => {
    expect(await message({ port: 0, whatever: undefined, handleSignals: false })).toBe('it listens')
    class Config {
      port = 0
      handleSignals = false
    }
    expect(await message(new Config())).toBe('it listens')
  })

  test.each<[unknown, RegExp]>([
    [{ port: 0, path: '/tmp/x.sock' }, /^TypeError: Specify one address to listen on/],
    [{ host: '127.0.0.1' }, /^TypeError: Specify one address to listen on/],
    [{ port: 0, mode: 0o660 }, /^TypeError: The option mode .* It needs the option path\.$/],
    [{ path: '/tmp/x.sock', host: '::1' }, /^TypeError: The option host needs the option port\.$/],
    [{ port: null }, /^TypeError: The option port must be a number from 0 to 65535, not null\.$/],
    [
      { port: 0, restartFiles: 'tmp/restart.txt' },
      /^TypeError: .*an array of paths, not 'tmp\/restart\.txt'/,
    ],
    [
      { port: 0, signal: new AbortController() },
      /^TypeError: .*an AbortSignal, not .* Pass controller\.signal\.$/,
    ],
    [{ port: 0, onListen: 'log' }, /^TypeError: The option onListen must be a function, not 'log'\.$/],
    [
      { port: 0, handleSignals: 'never' },
      /^TypeError: .*must be true, false or 'unless-handled', not 'never'/,
    ],
    [{ port: 0, drainDelay: 2 ** 31 }, /^RangeError: .*from 0 to 2147483646, not 2147483648\.$/],
    [{ mode: 660 }, /^RangeError: The option mode must be .*, not 660\. Write 0o660\.$/],
    [{ port: 0, onError: 'log' }, /^TypeError: The option onError must be a function, not log\.$/],
    [
      { port: 0, allowedServers: '::1' },
      /^TypeError: The option allowedServers must be an array of addresses, not ::1\.$/,
    ],
  ])('%j', async (options, expected) => {
    expect(await message(options)).toMatch(expected)
  })

  test('two addresses are a type error', () => {
    // @ts-expect-error: a port and a path
    const two: ServeOptions = { port: 9000, path: '/run/app.sock' }
    // @ts-expect-error: the mode of a port
    const mode: ServeOptions = { port: 9000, mode: 0o660 }
    // @ts-expect-error: the same for listen()
    const listen: ListenOptions = { fd: 3, path: '/run/app.sock' }
    const computed: ServeOptions = { port: undefined as number | undefined, maxRequests: 5 }
    expect([two, mode, listen, computed]).toHaveLength(4)
  })
})

describe('an invalid handler is refused', () => {
  test.each([undefined, null, {}, { fetch() {} }, { responder: 'echo' }, 'app'])('%j', async (handler) => {
    await expect(serve(handler as never, { port: 0 })).rejects.toThrow(
      'The handler must be a function (exchange) => …, or { responder, authorizer, filter } with functions.',
    )
  })
})

describe('the option signal', () => {
  test('closes the server, which lets running requests finish', async () => {
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
    expect((await peer.response(1)).stdout).toMatch(/finished$/)
    peer.destroy()
    await closed
  })

  test('prevents the start if it is already aborted', async () => {
    const reason = new Error('not now')
    await expect(serve(echo, { port: 0, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('closes the server if it aborts during the start', async () => {
    const controller = new AbortController()
    const starting = serve(echo, { port: 0, handleSignals: false, signal: controller.signal })
    controller.abort()
    const server = await starting
    await server.close()
    expect(server.address()).toBeNull()
  })

  test('does not keep a closed server alive', async () => {
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
  const before = signalListeners()
  const server = await start(echo, { handleSignals: true })
  expect(signalListeners()).toEqual(before.map((count) => count + 1))
  await server.close()
  expect(signalListeners()).toEqual(before)
})

test.each([
  ['SIGTERM', 0],
  ['an exception', 1],
])('%s ends a program when all of its servers have drained', async (cause, status) => {
  const program = `import { serve } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
    const respond = (exchange) => {
      if (exchange.target === '/throw') setTimeout(() => { throw new Error('thrown after the response') })
      if (exchange.target !== '/wait') return exchange.end('done')
      process.once('message', () => exchange.end('finished'))
      process.send('waits')
    }
    const servers = [await serve(respond, { port: 0 }), await serve(respond, { port: 0 })]
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
  expect((await waiting.response(1)).stdout).toMatch(/finished$/)
  expect(await exited).toEqual([status, null])
  expect(printed).toMatch(status === 0 ? /^$/ : /^Error: thrown after the response\n +at /)
})

test.each(['SIGTERM', 'an exception'])(
  'after %s, a server that cannot close ends the program',
  async (cause) => {
    const program = `import { serve } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
    const server = await serve((exchange) => exchange.end('done'), { port: 0 })
    server.close = () => Promise.reject(new Error('the disk is full'))
    process.on('message', () => { throw new Error('thrown by the program') })
    process.send('listening')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let printed = ''
    child.stderr!.on('data', (text) => (printed += text))
    const exited = Promise.all([once(child, 'exit'), once(child.stderr!, 'end')])
    await once(child, 'message')
    if (cause === 'SIGTERM') child.kill('SIGTERM')
    else child.send('throw')
    expect((await exited)[0]).toEqual([1, null])
    expect(printed.split('the disk is full')).toHaveLength(2)
  },
)

test('other listeners of the signal, for example of monitoring tools, have one second before the program ends', async () => {
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
  // These timers take at least 100 ms. Closing the server takes less.
  const steps = 'for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 2))'
  expect(await run(`${steps}; console.log('sent')`)).toBe('sent\n')
  expect(await run('setInterval(() => {}, 1000)')).toBe('')
})
