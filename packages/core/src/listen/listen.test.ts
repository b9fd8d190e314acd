import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer as createNetServer } from 'node:net'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createServer, type FastCgiServer } from '../server/server.ts'
import { echo, makeFolder } from '../testing/serving.ts'
import { supportsReusePort } from './check-place.ts'
import { listenOn } from './listen.ts'
import type { ListenOptions } from './listen-options.ts'
import { listenOnPath } from './unix-socket.ts'

async function listen(options: ListenOptions): Promise<FastCgiServer> {
  const server = createServer(echo)
  onTestFinished(() => server.close())
  return server.listen(options)
}

async function responds(address: { port: number; host?: string } | { path: string }): Promise<boolean> {
  const peer = await Peer.connect(address)
  onTestFinished(() => peer.destroy())
  peer.get(1)
  return (await peer.response(1)).stdout.startsWith('Status: 200')
}

describe('TCP', () => {
  test('listens on 127.0.0.1 by default', async () => {
    const server = await listen({ port: 0 })
    const address = server.address() as { port: number }
    expect(address).toMatchObject({ address: '127.0.0.1', family: 'IPv4' })
    expect(await responds(address)).toBe(true)
  })

  test('can listen on IPv6', async () => {
    const server = await listen({ port: 0, host: '::1' })
    const { port } = server.address() as { port: number }
    expect(await responds({ port, host: '::1' })).toBe(true)
  })

  test('rejects for a port in use', async () => {
    const { port } = (await listen({ port: 0 })).address() as { port: number }
    await expect(listen({ port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `EADDRINUSE: cannot listen on 127.0.0.1:${port}: it is in use. Stop the server there, or choose another address.`,
    })
  })

  test('rejects for an address of another machine', async () => {
    await expect(listen({ port: 0, host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
      message: expect.stringContaining('192.0.2.1:0: this machine has no such address'),
    })
  })

  test('rejects for an invalid port', async () => {
    await expect(listen({ port: 70_000 })).rejects.toThrow(/port/i)
  })

  // Node would listen on all addresses.
  test.each(['', null, 7])('rejects for the host %j', async (host) => {
    await expect(listen({ port: 0, host: host as string })).rejects.toThrow(
      `The option host must be an IP address or a host name, not ${JSON.stringify(host)}.`,
    )
  })
})

describe('a Unix socket', () => {
  const isSocket = (path: string): boolean => lstatSync(path).isSocket()
  const modeOf = (path: string): number => lstatSync(path).mode & 0o777

  test.each([
    [undefined, 0o660],
    [0o600, 0o600],
    [0o666, 0o666],
    [0o777, 0o777],
  ])('has the mode %o, whatever the umask is', async (mode, expected) => {
    const path = join(makeFolder(), 'app.sock')
    const before = process.umask(0o077)
    try {
      await listen(mode === undefined ? { path } : { path, mode })
    } finally {
      expect(process.umask(before)).toBe(0o077)
    }
    expect(modeOf(path)).toBe(expected)
    expect(await responds({ path })).toBe(true)
  })

  test('never has more permissions than its mode', async () => {
    const path = join(makeFolder(), 'app.sock')
    const [stop, seen] = [0, 1]
    const shared = new Int32Array(new SharedArrayBuffer(8))
    const onlooker = new Worker(
      `const { statSync } = require('node:fs')
      const { workerData: { path, shared }, parentPort } = require('node:worker_threads')
      const modes = new Set()
      while (Atomics.load(shared, ${stop}) === 0) {
        const found = statSync(path, { throwIfNoEntry: false })
        if (found === undefined) continue
        modes.add(found.mode & 0o777)
        Atomics.store(shared, ${seen}, 1)
      }
      parentPort.postMessage([...modes])`,
      { eval: true, workerData: { path, shared } },
    )
    await once(onlooker, 'online')
    const before = process.umask(0)
    try {
      // On a busy machine it may look seldom.
      for (let round = 0; round < 300 || Atomics.load(shared, seen) === 0; round++) {
        await (await listen({ path, mode: 0o600 })).close()
      }
    } finally {
      process.umask(before)
    }
    Atomics.store(shared, stop, 1)
    expect((await once(onlooker, 'message'))[0]).toEqual([0o600])
  })

  test('has its mode in a worker thread, which cannot set the umask', async () => {
    const path = join(makeFolder(), 'app.sock')
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads')
      import(workerData.core).then(async ({ createServer }) => {
        const server = createServer(() => {})
        await server.listen({ path: workerData.path, mode: 0o640 })
        parentPort.once('message', () => server.close())
        parentPort.postMessage('listening')
      })`,
      { eval: true, workerData: { core: new URL('../../dist/index.js', import.meta.url).href, path } },
    )
    onTestFinished(async () => void (await worker.terminate()))
    await once(worker, 'message')
    expect(modeOf(path)).toBe(0o640)
    worker.postMessage('close')
    await once(worker, 'exit')
    expect(existsSync(path)).toBe(false)
  })

  test('is removed when the server closes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const path = join(makeFolder(), 'app.sock')
    const server = await listen({ path })
    expect(server.address()).toBe(path)
    await server.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(existsSync(path)).toBe(false)
    expect(process.listenerCount('exit')).toBe(exitListeners)
  })
  const exitListeners = process.listenerCount('exit')

  test('is not removed when the server closes if another server has taken its path', async () => {
    const path = join(makeFolder(), 'app.sock')
    const first = await listen({ path })
    rmSync(path)
    await listen({ path })
    await first.close()
    expect(await responds({ path })).toBe(true)
    expect(readdirSync(dirname(path))).toEqual(['app.sock'])
  })

  test('causes one warning when it disappears', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const path = join(makeFolder(), 'app.sock')
    const server = await listen({ path })
    vi.advanceTimersByTime(60_000)
    const warned = once(process, 'warning')
    rmSync(path)
    vi.advanceTimersByTime(60_000)
    const [warning] = await warned
    expect(warning).toMatchObject({
      code: 'FCGI_WARN_SOCKET_LOST',
      message: expect.stringContaining(`${path} was removed`),
    })
    expect(vi.getTimerCount()).toBe(0)
    await server.close()
  })

  test('causes no warning when it was removed because the server drains', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const warn = vi.spyOn(process, 'emitWarning')
    onTestFinished(() => warn.mockRestore())
    const path = join(makeFolder(), 'app.sock')
    const server = createNetServer()
    const file = await listenOnPath(server, path, 0o600, undefined)
    file.remove()
    expect(existsSync(path)).toBe(false)
    vi.advanceTimersByTime(60_000)
    expect(warn).not.toHaveBeenCalled()
    await file.close(server)
  })

  test.each([
    ['is removed when the process ends without closing the server', '', false],
    ['is not, where another has taken its path', "rmSync(path), writeFileSync(path, 'another')", true],
    [
      'is not, where the process has given up the right to',
      'chmodSync(dirname(path), 0o555), process.getuid() === 0 && process.setuid(65534)',
      true,
    ],
  ])('%s', async (_, meanwhile, there) => {
    const path = join(makeFolder(), 'app.sock')
    const program = `import { chmodSync, rmSync, writeFileSync } from 'node:fs'
      import { dirname } from 'node:path'
      import { createServer } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
      const path = ${JSON.stringify(path)}
      await createServer(() => {}).listen({ path })
      ${meanwhile}
      process.exit(3)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program])
    let printed = ''
    child.stderr.on('data', (text) => (printed += text))
    const exit = await once(child, 'close')
    chmodSync(dirname(path), 0o700)
    expect([...exit, printed]).toEqual([3, null, ''])
    expect(existsSync(path)).toBe(there)
  })

  test('is not removed when one of several workers of a cluster ends', async () => {
    const folder = makeFolder()
    const path = join(folder, 'app.sock')
    writeFileSync(
      join(folder, 'app.mjs'),
      `import cluster from 'node:cluster'
      import { createServer } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}
      if (cluster.isPrimary) {
        const workers = [cluster.fork(), cluster.fork()]
        let listening = 0
        cluster.on('listening', () => ++listening === 2 && workers[0].send('exit'))
        workers[0].once('exit', () => console.log('one has ended'))
      } else {
        process.once('message', () => process.exit())
        await createServer((exchange) => exchange.end()).listen({ path: ${JSON.stringify(path)} })
      }`,
    )
    const child = spawn(process.execPath, [join(folder, 'app.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill())
    await once(child.stdout, 'data')
    expect(await responds({ path })).toBe(true)
  })

  test('is replaced if it is stale', async () => {
    const folder = makeFolder()
    const path = join(folder, 'app.sock')
    await makeStale(path)
    await listen({ path })
    expect(await responds({ path })).toBe(true)
  })

  test('is not replaced if a server listens on it', async () => {
    const path = join(makeFolder(), 'app.sock')
    await listen({ path })
    await expect(listen({ path })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `EADDRINUSE: ${path} is in use by a live server. Stop it, or choose another path.`,
    })
    expect(await responds({ path })).toBe(true)
  })

  test('is not replaced if the queue of its server is full', async () => {
    const path = join(makeFolder(), 'app.sock')
    // It accepts nothing, and has room for one that waits.
    const full = createNetServer().listen({ path, backlog: 1 })
    await once(full, 'listening')
    onTestFinished(() => void full.close())
    await expect(listen({ path })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(isSocket(path)).toBe(true)
  })

  test.each<[string, (path: string) => void]>([
    ['a file', (path) => writeFileSync(path, 'notes')],
    ['a link to a file', (path) => symlinkSync('/dev/null', path)],
    ['a link to nothing', (path) => symlinkSync('nothing', path)],
    ['a link to a folder', (path) => symlinkSync('/', path)],
    ['a folder', (path) => mkdirSync(path)],
  ])('%s is not replaced', async (_, make) => {
    const path = join(makeFolder(), 'app.sock')
    make(path)
    const before = lstatSync(path)
    await expect(listen({ path })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `EADDRINUSE: ${path} exists and is not a socket. Remove it, or choose another path.`,
    })
    expect(lstatSync(path).ino).toBe(before.ino)
  })

  test.each(['stale', 'live'])('a link to a %s socket is not replaced, nor is that socket', async (kind) => {
    const folder = makeFolder()
    const [path, target] = [join(folder, 'link.sock'), join(folder, 'app.sock')]
    if (kind === 'live') await listen({ path: target })
    else await makeStale(target)
    symlinkSync(target, path)
    await expect(listen({ path })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: expect.stringContaining('exists and is not a socket'),
    })
    expect(lstatSync(path).isSymbolicLink()).toBe(true)
    expect(isSocket(target)).toBe(true)
  })

  test('is replaced by only one of several servers that find it stale', async () => {
    const path = join(makeFolder(), 'app.sock')
    await makeStale(path)
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => listen({ path })))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EADDRINUSE' })
    }
    expect(await responds({ path })).toBe(true)
  })

  test.each<[unknown, string]>([
    [660, ' Write 0o660.'],
    [600, ' Write 0o600.'],
    [0o1777, ''],
    [1000, ''],
    [-1, ''],
    [1.5, ''],
    [Number.NaN, ''],
    ['660', ' Write 0o660.'],
    ['0660', ' Write 0o660.'],
    ['0o640', ' Write 0o640.'],
    [null, ''],
  ])('the mode %j is an error, and nothing listens', async (mode, hint) => {
    const path = join(makeFolder(), 'app.sock')
    const failure = await listen({ path, mode: mode as number }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RangeError)
    expect((failure as Error).message).toBe(
      `The option mode must be an integer from 0 to 0o777, not ${JSON.stringify(mode)}.${hint}`,
    )
    expect(existsSync(path)).toBe(false)
  })

  test('the longest path is accepted, and one byte more is refused', async () => {
    const folder = makeFolder()
    const max = process.platform === 'linux' ? 107 : 103
    const longest = join(folder, 'ü'.padEnd(max - folder.length - 2, 'x'))
    expect(Buffer.byteLength(longest)).toBe(max)
    await listen({ path: longest })
    expect(await responds({ path: longest })).toBe(true)
    await expect(listen({ path: `${longest}x` })).rejects.toMatchObject({
      code: 'ENAMETOOLONG',
      message: `ENAMETOOLONG: cannot listen on ${longest}x: the path has ${max + 1} bytes, but the path of a Unix socket can have only ${max}. Choose a shorter path.`,
    })
    expect(readdirSync(folder)).toHaveLength(1)
  })

  test.each(['\0abstract', '/tmp/a\0b'])(
    '%j: a path with NUL is refused, and nothing listens',
    async (path) => {
      const before = new Set(listenedSockets())
      await expect(listen({ path })).rejects.toThrow(/^The option path must not contain NUL: ".*\\u0000/)
      expect(listenedSockets().filter((row) => !before.has(row) && row.includes('abstract'))).toEqual([])
    },
  )

  test.each(['', 7, null])('the path %j is an error', async (path) => {
    await expect(listen({ path: path as string })).rejects.toThrow(
      /^The option path must be the path of a Unix socket, not .*\.$/,
    )
  })

  test('rejects if its file disappears before the mode is set, and nothing listens', async () => {
    const path = join(makeFolder(), 'app.sock')
    const listener = createNetServer()
    onTestFinished(() => void listener.close())
    listener.once('listening', () => rmSync(path))
    await expect(listenOn(listener, { path })).rejects.toMatchObject({ code: 'ENOENT' })
    expect(listener.listening).toBe(false)
  })

  test('rejects if its folder does not exist', async () => {
    const path = join(makeFolder(), 'missing', 'app.sock')
    await expect(listen({ path })).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining(`cannot listen on ${path}: its folder does not exist`),
    })
  })

  function listenedSockets(): string[] {
    return existsSync('/proc/net/unix') ? readFileSync('/proc/net/unix', 'utf8').split('\n') : []
  }

  async function makeStale(path: string): Promise<void> {
    const before = createNetServer().listen(`${path}.before`)
    await once(before, 'listening')
    renameSync(`${path}.before`, path)
    // Node removes the path that it knows, and leaves this one.
    await new Promise((resolve) => before.close(resolve))
    expect(isSocket(path)).toBe(true)
    // Files are distinguished by their time of birth, which has a limited resolution.
    const { birthtimeMs } = lstatSync(path)
    do {
      rmSync(`${path}.later`, { force: true })
      writeFileSync(`${path}.later`, '')
    } while (lstatSync(`${path}.later`).birthtimeMs === birthtimeMs)
  }
})

test.each(['3', -1, 1.5, null])('rejects for the descriptor %j', async (fd) => {
  await expect(listen({ fd: fd as number })).rejects.toThrow(
    `The option fd must be the number of an open descriptor, not ${JSON.stringify(fd)}.`,
  )
})

test('rejects for a file descriptor that is not open, or is not a socket', async () => {
  await expect(listen({ fd: 999 })).rejects.toThrow(/^E\w+: cannot listen on file descriptor 999: it is n/)
  const child = spawn(process.execPath, ['-e', LISTEN_ON_FD_0], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [output] = await once(child.stdout, 'data')
  expect(String(output)).toMatch(/^E\w+: cannot listen on file descriptor 0: it is not /)
})

const LISTEN_ON_FD_0 = `import(${JSON.stringify(new URL('../../dist/index.js', import.meta.url))}).then(({ createServer }) =>
  createServer(() => {}).listen({ fd: 0 }).catch(({ message }) => console.log(message)))`

test.each<[unknown, RegExp]>([
  [9000, /^The options must be an object, not 9000\. Write \{ port: 9000 \}\.$/],
  [undefined, /^The options must be an object, not undefined\. Write \{ port: 9000 \} or \{ path: .* \}\.$/],
  [
    () => {},
    /, not a function\. Write \{ port: 9000 \} or \{ path: .* \}, and await the returned promise\.$/,
  ],
  [{ prot: 9000 }, /^There is no option 'prot'\. Did you mean 'port'\?$/],
])('listen(%j) is an error', async (options, message) => {
  await expect(listen(options as ListenOptions)).rejects.toThrow(message)
})

describe('backlog', () => {
  // Connections of one event loop tick: none is accepted before the last one is made.
  async function connectAtOnce(path: string, count: number): Promise<string[]> {
    const sockets = Array.from({ length: count }, () => connect({ path }))
    const results = sockets.map((socket) =>
      once(socket, 'connect').then(
        () => 'connected',
        ({ code }) => code as string,
      ),
    )
    return Promise.all(results).finally(() => sockets.forEach((socket) => void socket.destroy()))
  }

  test('limits how many connections wait, and is 511 by default', async () => {
    const [small, standard] = [join(makeFolder(), 'app.sock'), join(makeFolder(), 'app.sock')]
    const server = await listen({ path: small, backlog: 2 })
    await server.listen({ path: standard })
    const results = await connectAtOnce(small, 20)
    // Linux lets one more wait.
    expect(results.filter((result) => result === 'connected')).toHaveLength(3)
    expect(new Set(await connectAtOnce(standard, 20))).toEqual(new Set(['connected']))
  })

  test.each([0, -1, 1.5, Number.NaN, '511'])('%j is an error', async (backlog) => {
    await expect(listen({ port: 0, backlog } as ListenOptions)).rejects.toThrow(
      /^The option backlog must be an integer from 1 to 2147483647/,
    )
  })
})

describe('reusePort', () => {
  test('lets several servers listen on one port, or says that this version of Node is too old', async () => {
    if (!supportsReusePort(process.versions.node)) {
      await expect(listen({ port: 0, reusePort: true })).rejects.toThrow(
        /^The option reusePort needs Node 22\.12, 23\.1 or later, but this is Node \d/,
      )
      return
    }
    const first = await listen({ port: 0, reusePort: true })
    const { port } = first.address() as { port: number }
    const second = await listen({ port, reusePort: true })
    expect(second.address()).toMatchObject({ port })
    await first.close()
    expect(await responds({ port })).toBe(true)
  })

  test.each([
    ['20.19.0', false],
    ['22.11.0', false],
    ['22.12.0', true],
    ['23.0.0', false],
    ['23.1.0', true],
    ['24.0.0', true],
  ])('Node %s has it: %j', (version, expected) => {
    expect(supportsReusePort(version)).toBe(expected)
  })

  test('is for TCP', async () => {
    const path = join(makeFolder(), 'app.sock')
    await expect(listen({ path, reusePort: true } as unknown as ListenOptions)).rejects.toThrow(
      'The option reusePort is for TCP.',
    )
  })
})

test('a server can listen on several addresses', async () => {
  const path = join(makeFolder(), 'app.sock')
  const server = await listen({ port: 0 })
  const heard: unknown[] = []
  server.on('listening', (address) => heard.push(address))
  await server.listen({ path })
  expect(heard).toEqual([path])
  expect(server.address()).toMatchObject({ address: '127.0.0.1' })
  expect(await responds({ path })).toBe(true)
  expect(await responds(server.address() as { port: number })).toBe(true)
  await server.close()
  expect(existsSync(path)).toBe(false)
})

test.each<[string, object]>([
  ['nothing', {}],
  ['two', { port: 0, path: '/tmp/x.sock' }],
  ['a host alone', { host: '127.0.0.1' }],
])('%s does not specify one address', async (_, options) => {
  await expect(listen(options as ListenOptions)).rejects.toThrow(
    'Specify one address to listen on: { path }, { port } or { fd }.',
  )
})
