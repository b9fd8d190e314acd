// FastCGI 1.0, sections 2.2, 3.2 and 7: the process. tests/programs/listen.test.ts tests other ways to start one.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createServer as createFastCgiServer } from '../server/server.ts'
import { connected, echo, listen, makeFolder, TRANSPORTS, type Transport } from '../testing/serving.ts'

const APP = fileURLToPath(new URL('../testing/process-app.js', import.meta.url))

type Address = { port: number } | { path: string }

interface Limits {
  outputs?: 'closed'
  /** The maximum number of open file descriptors. */
  descriptors?: number
}

/** Starts a program with a listening socket as its standard input, as a process manager does. */
async function started(
  transport: Transport,
  limits?: Limits,
): Promise<{ program: Program; address: Address }> {
  const path = join(makeFolder(), 's')
  const server = createServer().listen(transport === 'tcp' ? { port: 0, host: '127.0.0.1' } : `${path}.new`)
  await once(server, 'listening')
  const address = server.address()!
  const program = new Program(fdOf(server), limits)
  // From now on only the program accepts. Rename the socket, because close() removes the path that it listened on.
  if (transport === 'unix') renameSync(`${path}.new`, path)
  server.close()
  return { program, address: typeof address === 'string' ? { path } : { port: address.port } }
}

function fdOf(socket: Server | Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd
}

class Program {
  readonly child: ChildProcess
  output = ''

  constructor(stdin: number | 'pipe' | 'ignore', { outputs, descriptors }: Limits = {}) {
    const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors}; `
    const command = `${limit}exec "${process.execPath}" "${APP}"${outputs === 'closed' ? ' >&- 2>&-' : ''}`
    this.child = spawn('/bin/sh', ['-c', command], {
      env: { PATH: process.env.PATH },
      stdio: [stdin, 'pipe', 'pipe'],
    })
    this.child.stdout!.on('data', (chunk) => (this.output += chunk))
    this.child.stderr!.on('data', (chunk) => (this.output += chunk))
    onTestFinished(() => void this.child.kill('SIGKILL'))
  }

  async printed(text: string): Promise<void> {
    while (!this.output.includes(text)) await once(this.child.stdout!, 'data')
  }

  /** Waits for the end of the program. Returns its exit status and signal. */
  async ended(): Promise<[code: number | null, signal: string | null]> {
    return (await once(this.child, 'close')) as [number | null, string | null]
  }
}

/** Requests `uri` and returns STDOUT. The socket listens before the program starts, so the request waits for the program. */
async function responseOf(address: Address, uri = '/'): Promise<string> {
  const peer = await Peer.connect(address)
  onTestFinished(() => peer.destroy())
  peer.get(1, { REQUEST_URI: uri })
  return (await peer.response(1)).stdout
}

describe('46: fd 0', () => {
  test.each(TRANSPORTS)('46: a listening socket (%s) is used for FastCGI', async (transport) => {
    const { program, address } = await started(transport)
    await program.printed('listening')
    expect(await responseOf(address)).toContain(`pid ${program.child.pid}`)
  })

  test.each(TRANSPORTS)('46: a connected socket (%s) is refused', async (transport) => {
    const serving = await listen(echo, {}, transport)
    const peer = await serving.connect()
    await expectRefusal(fdOf(serving.sockets[0]!))
    expect(peer.closed).toBe(false)
  })

  test('46: a pipe, a file and a device are refused', async () => {
    await expectRefusal('pipe')
    const file = openSync(APP, 'r')
    await expectRefusal(file)
    closeSync(file)
    await expectRefusal('ignore')
  })

  async function expectRefusal(stdin: number | 'pipe' | 'ignore'): Promise<void> {
    const program = new Program(stdin)
    expect(await program.ended()).toEqual([1, null])
    expect(program.output).toContain('a listening socket as standard input')
  }
})

test('47: if stdout and stderr are closed at the start, console.log does not end the process', async () => {
  const { program, address } = await started('unix', { outputs: 'closed' })
  const first = await responseOf(address)
  expect(first).toContain(`pid ${program.child.pid}`)
  expect(await responseOf(address)).toBe(first)
})

describe('48: FCGI_WEB_SERVER_ADDRS', () => {
  const from = async (address: string, family: 4 | 6 = 4): Promise<boolean> => {
    const serving = createFastCgiServer(echo)
    // This socket accepts both families. IPv4 peers have IPv4-mapped addresses.
    await serving.listen({ port: 0, host: '::' })
    onTestFinished(() => serving.close())
    const { port } = serving.address() as { port: number }
    const peer = await Peer.connect({ port, host: family === 4 ? '127.0.0.1' : '::1', localAddress: address })
    onTestFinished(() => peer.destroy())
    peer.get(1)
    await peer.end()
    return peer.records.length > 0
  }

  function allow(list: string): void {
    vi.stubEnv('FCGI_WEB_SERVER_ADDRS', list)
    onTestFinished(() => void vi.unstubAllEnvs())
  }

  test('48: a connection from a listed address is served, and any other is closed', async () => {
    allow('127.0.0.1,127.0.0.3')
    expect(await from('127.0.0.1')).toBe(true)
    expect(await from('127.0.0.2')).toBe(false)
    expect(await from('127.0.0.3')).toBe(true)
    expect(await from('::1', 6)).toBe(false)
  })

  test('48: spaces around addresses are ignored', async () => {
    allow('  127.0.0.2 ,\t127.0.0.1 ')
    expect(await from('127.0.0.1')).toBe(true)
    expect(await from('127.0.0.2')).toBe(true)
  })

  test.each(['::ffff:127.0.0.1', '::FFFF:7f00:1', '0:0:0:0:0:ffff:127.0.0.1'])(
    '48: an IPv4-mapped IPv6 address matches IPv4 peers: %s',
    async (address) => {
      allow(address)
      expect(await from('127.0.0.1')).toBe(true)
      expect(await from('127.0.0.2')).toBe(false)
    },
  )

  test('48: a native IPv6 address can have any form', async () => {
    allow('0:0:0:0:0:0:0:1')
    expect(await from('::1', 6)).toBe(true)
    expect(await from('127.0.0.1')).toBe(false)
  })

  test.each(['localhost', '127.0.0.1,', '', '127.0.0.1 127.0.0.2', '127.0.0.0/8', '1.2.3', '::g'])(
    '48: the invalid list %j is an error at the start, instead of a weaker check',
    (list) => {
      allow(list)
      expect(() => createFastCgiServer(echo)).toThrow(/is not an IP address \(FCGI_WEB_SERVER_ADDRS/)
    },
  )

  test('48: the list does not apply to a Unix socket, which is protected by its mode', async () => {
    allow('192.0.2.1')
    const { peer } = await connected(echo, {}, 'unix')
    peer.get(1)
    await peer.response(1)
  })

  test('48: the option allowedServers takes precedence', async () => {
    allow('192.0.2.1')
    const { peer } = await connected(echo, { allowedServers: ['127.0.0.1'] })
    peer.get(1)
    await peer.response(1)
  })

  test('48: if it is not set, all addresses are served', async () => {
    const { peer } = await connected(echo)
    peer.get(1)
    await peer.response(1)
  })
})

describe.each(['SIGTERM', 'SIGUSR1'] as const)('49: %s', (signal) => {
  test.each(TRANSPORTS)(
    '49: running requests finish, idle connections are closed, nothing is accepted, and the exit status is 0 (%s)',
    async (transport) => {
      const { program, address } = await started(transport)
      const [idle, busy, last] = [
        await Peer.connect(address),
        await Peer.connect(address),
        await Peer.connect(address),
      ]
      idle.get(1, {}, { keepConn: true })
      await idle.response(1)
      busy.get(1, { REQUEST_URI: '/wait' }, { keepConn: true })
      await program.printed('request /wait')
      last.post(1, { REQUEST_URI: '/body', CONTENT_LENGTH: '4' }, { keepConn: true })
      await program.printed('request /body')
      const ended = program.ended()
      program.child.kill(signal)
      expect((await busy.response(1)).stdout).toContain(`pid ${program.child.pid}`)
      await Promise.all([idle.end(), busy.end()])
      // The program has closed descriptor 0, so a front server does not connect to a program that is about to end.
      await expect(Peer.connect(address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      idle.destroy()
      busy.destroy()
      last.stdin(1, 'body').endStdin(1)
      expect((await last.response(1)).stdout).toContain(`pid ${program.child.pid}`)
      last.destroy()
      expect(await ended).toEqual([0, null])
    },
  )
})

test('49: a process that mod_fcgid has started removes its socket, so that Apache takes another process', async () => {
  // The name that mod_fcgid gives it. This process is the parent of the program.
  const path = join(makeFolder(), `${process.pid}.7`)
  const server = createServer().listen(path)
  await once(server, 'listening')
  const program = new Program(fdOf(server))
  // close() removes the path.
  renameSync(path, `${path}.kept`)
  server.close()
  renameSync(`${path}.kept`, path)
  await program.printed('listening')
  const waiting = await Peer.connect({ path })
  const ended = program.ended()
  program.child.kill('SIGTERM')
  await expect.poll(() => existsSync(path)).toBe(false)
  // A connection from before is accepted, and its request gets a response.
  waiting.get(1, { REQUEST_URI: '/' })
  expect((await waiting.response(1)).stdout).toContain(`pid ${program.child.pid}`)
  await waiting.end()
  waiting.destroy()
  expect(await ended).toEqual([0, null])
})

test('49: close() does the same for a server in a larger program', async () => {
  const serving = await listen(echo)
  const [idle, busy] = [await serving.connect(), await serving.connect()]
  idle.get(1, {}, { keepConn: true })
  await idle.response(1)
  busy.post(1, { CONTENT_LENGTH: '4' }, { keepConn: true }).stdin(1, 'bo')
  await once(serving.sockets[1]!, 'data')
  const closed = serving.server.close()
  await idle.end()
  busy.stdin(1, 'dy').endStdin(1)
  expect((await busy.response(1)).stdout).toMatch(/POST \/ body$/)
  await closed
})

test.each(TRANSPORTS)(
  '50: the server recovers when it has run out of file descriptors (%s)',
  async (transport) => {
    const { program, address } = await started(transport, { descriptors: 60 })
    await program.printed('listening')
    const { pid } = program.child
    const before = await Peer.connect(address)
    onTestFinished(() => before.destroy())
    before.get(1, {}, { keepConn: true })
    await before.response(1)
    const many = await Promise.all(Array.from({ length: 100 }, () => Peer.connect(address)))
    // Excess connections are closed, so that a front server notices at once. Existing connections continue.
    const closed = (): number => many.filter(({ ended }) => ended).length
    await expect.poll(closed).toBeGreaterThanOrEqual(50)
    before.get(2, {}, { keepConn: true })
    expect((await before.response(2)).stdout).toContain(`pid ${pid}`)
    // The server waits and does not retry in a busy loop.
    const used = cpuTicks(pid!)
    await setTimeout(500)
    expect(cpuTicks(pid!) - used).toBeLessThan(25)
    for (const peer of many) peer.destroy()
    await expect.poll(() => responseOf(address).catch(String)).toContain(`pid ${pid}`)
  },
)

/** Returns the CPU time of a process in hundredths of a second; see proc(5). */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14)
  return Number(user) + Number(system)
}
