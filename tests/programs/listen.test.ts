import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import type { Listening } from '../support/fronts/ports.ts'
import { accepts } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import { listeningOf, type Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const APP = new URL('../support/apps/core.js', import.meta.url).pathname

let site: Site

siteForEachTest((each) => {
  site = each
})

describe('an address in the options', () => {
  test('a TCP port without a host is a port on 127.0.0.1', async () => {
    const { at } = await startWith({ port: 0 })
    expect(at).toMatchObject({ host: '127.0.0.1' })
    expect(await get(at)).toContain('GET /')
  })

  test('a TCP address', async () => {
    const { at } = await startWith({ port: 0, host: '::1' })
    expect(at).toMatchObject({ host: '::1' })
    expect(await get(at)).toContain('GET /')
  })

  test('a Unix socket gets its mode, and is removed at exit', async () => {
    const path = site.path('app.sock')
    const { program, at } = await startWith({ path, mode: 0o640 })
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(await get(at)).toContain('GET /')
    expect(await program.stop()).toEqual({ code: 0, signal: null })
    expect(existsSync(path)).toBe(false)
  })

  test('the stale Unix socket of a killed server is replaced', async () => {
    const path = site.path('app.sock')
    const { program } = await startWith({ path })
    await program.stop('SIGKILL')
    expect(existsSync(path)).toBe(true)
    const { at } = await startWith({ path })
    expect(await get(at)).toContain('GET /')
  })

  test('the Unix socket of a live server is not replaced', async () => {
    const path = site.path('app.sock')
    const { at } = await startWith({ path })
    const second = start({ FCGI_BRIDGE_TEST_OPTIONS: JSON.stringify({ path }) })
    expect(await second.exited).toEqual({ code: 1, signal: null })
    await second.printed(/EADDRINUSE: .*app\.sock is in use by a live server/)
    expect(await get(at)).toContain('GET /')
  })

  test('a file that is not a socket is not replaced', async () => {
    const path = site.write('app.sock', 'notes')
    const program = start({ FCGI_BRIDGE_TEST_OPTIONS: JSON.stringify({ path }) })
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(/app\.sock exists and is not a socket/)
    expect(statSync(path).size).toBe(5)
  })

  test('a TCP port in use is an error', async () => {
    const { at } = await startWith({ port: 0 })
    const second = start({ FCGI_BRIDGE_TEST_OPTIONS: JSON.stringify(at) })
    expect(await second.exited).toEqual({ code: 1, signal: null })
    await second.printed(/EADDRINUSE: .*127\.0\.0\.1/)
  })
})

describe('a socket from the parent process', () => {
  test('fd 0 listens on TCP', async () => {
    const [port] = await freePorts(1)
    const at = { host: '127.0.0.1', port: port! }
    const program = spawnFcgi(['-a', at.host, '-p', String(at.port)], [process.execPath, APP])
    await program.printed(/^listening on/m)
    expect(await get(at)).toContain(`pid ${program.pid}`)
  })

  test('fd 0 listens on a Unix socket', async () => {
    const at = { path: site.path('app.sock') }
    const program = spawnFcgi(['-s', at.path], [process.execPath, APP])
    await program.printed(/^listening on/m)
    expect(await get(at)).toContain(`pid ${program.pid}`)
  })

  test('systemd passes fd 3', async () => {
    const at = { path: site.path('app.sock') }
    const program = spawnFcgi(
      ['-s', at.path],
      shell(`LISTEN_PID=$$ LISTEN_FDS=1 exec "${process.execPath}" "${APP}" 3<&0 0</dev/null`),
    )
    await program.printed(/^listening on/m)
    expect(await get(at)).toContain(`pid ${program.pid}`)
  })

  test('sockets that systemd passed to another process are not used', async () => {
    const at = { path: site.path('app.sock') }
    const program = spawnFcgi(
      ['-s', at.path],
      shell(`LISTEN_PID=1 LISTEN_FDS=1 exec "${process.execPath}" "${APP}" 3<&0 0</dev/null`),
    )
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(/LISTEN_PID is 1, but this is process \d+/)
  })

  test('the order is: systemd, fd 0, CGI, FCGI_BRIDGE_LISTEN', async () => {
    const env = { FCGI_BRIDGE_LISTEN: site.path('last.sock'), ...cgi('GET', '/cgi') }
    const atFd0 = { path: site.path('fd0.sock') }
    const onFd0 = spawnFcgi(['-s', atFd0.path], [process.execPath, APP], env)
    await onFd0.printed(/^listening on/m)
    expect(await get(atFd0)).toContain(`pid ${onFd0.pid}`)

    const asCgi = start(env)
    await asCgi.printed(/GET \/cgi/)
    expect(await asCgi.exited).toEqual({ code: 0, signal: null })

    const atFd3 = { path: site.path('fd3.sock') }
    const systemd = `LISTEN_PID=$$ LISTEN_FDS=1 exec "${process.execPath}" "${APP}"`
    const withBoth = shell(
      `exec ${required('spawn-fcgi')} -n -s "${site.path('unused.sock')}" -- /bin/sh -c '${systemd}' 3<&0`,
    )
    const onFd3 = spawnFcgi(['-s', atFd3.path], withBoth, env)
    await onFd3.printed(/^listening on/m)
    expect(await get(atFd3)).toContain(`pid ${onFd3.pid}`)
    expect(existsSync(env.FCGI_BRIDGE_LISTEN)).toBe(false)
  })
})

describe('plain CGI', () => {
  test('reads one request from standard input, and writes its response to standard output', async () => {
    const program = start(
      { ...cgi('POST', '/form?x=1'), CONTENT_LENGTH: '11', CONTENT_TYPE: 'text/plain' },
      'pipe',
    )
    // Bytes after the body do not belong to the request, and the web server may leave the pipe open.
    program.child.stdin!.write('hello world, and more')
    expect(await program.exited).toEqual({ code: 0, signal: null })
    await program.printed(/^Status: 200 OK\r\n/)
    await program.printed(/\r\n\r\npid \d+, POST \/form\?x=1, 11 bytes\n$/)
  })

  test('handles a request without a body', async () => {
    const program = start(cgi('GET', '/page'), 'pipe')
    expect(await program.exited).toEqual({ code: 0, signal: null })
    await program.printed(/GET \/page, 0 bytes\n$/)
  })
})

describe('FCGI_BRIDGE_LISTEN', () => {
  test.each([
    ['127.0.0.1:0', /^listening on \{"address":"127\.0\.0\.1"/m],
    ['[::1]:0', /^listening on \{"address":"::1"/m],
    ['FOLDER/app.sock', /^listening on ".*app\.sock"/m],
    ['unix:FOLDER/app.sock', /^listening on ".*app\.sock"/m],
  ])('%s', async (address, printed) => {
    const program = start({ FCGI_BRIDGE_LISTEN: address.replace('FOLDER', site.folder) })
    await program.printed(printed)
    expect(await get(await listeningOf(program))).toContain(`pid ${program.pid}`)
  })

  test('an invalid address is an error', async () => {
    const program = start({ FCGI_BRIDGE_LISTEN: 'localhost:http' })
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(/'localhost:http' is not an address to listen on/)
  })
})

describe('without an address, the error names everything that was checked', () => {
  const everything = /LISTEN_PID and LISTEN_FDS.*standard input.*GATEWAY_INTERFACE.*FCGI_BRIDGE_LISTEN/s

  test.each(['ignore', 'pipe'] as const)('standard input: %s', async (stdin) => {
    const program = start({}, stdin)
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(everything)
  })

  test('standard input: a file', async () => {
    writeFileSync(site.path('input'), 'text')
    const program = site.start('/bin/sh', [
      '-c',
      `exec "${process.execPath}" "${APP}" <"${site.path('input')}"`,
    ])
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(everything)
  })

  test('standard input: a connected socket', async () => {
    const server = createServer().listen(site.path('peer.sock'))
    const accepted = once(server, 'connection')
    const client = connect(site.path('peer.sock'))
    await Promise.all([accepted, once(client, 'connect')])
    const program = start({}, client)
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(everything)
    client.destroy()
    server.close()
  })
})

describe('the app can log if standard output and standard error', () => {
  test('are closed at the start', async () => {
    const [port] = await freePorts(1)
    const at = { host: '127.0.0.1', port: port! }
    spawnFcgi(['-a', at.host, '-p', String(at.port)], shell(`exec "${process.execPath}" "${APP}" >&- 2>&-`))
    await expectLogging(at)
  })

  test('are pipes whose reader has closed them', async () => {
    const [port] = await freePorts(1)
    const at = { host: '127.0.0.1', port: port! }
    const { child } = spawnFcgi(['-a', at.host, '-p', String(at.port)], [process.execPath, APP])
    child.stdout!.destroy()
    child.stderr!.destroy()
    await expectLogging(at)
  })

  async function expectLogging(at: Listening): Promise<void> {
    // The socket exists before the program runs. The first response proves that it has started.
    await expect.poll(() => accepts(at)).toBe(true)
    const first = await get(at, '/log')
    expect(first).toContain('GET /log')
    expect(await get(at, '/log')).toBe(first)
  }
})

describe('shutdown', () => {
  test.each(['SIGTERM', 'SIGUSR1'] as const)(
    '%s: running requests finish, no new ones are accepted, and the exit status is 0',
    async (signal) => {
      const { program, at } = await startWith({ port: 0 })
      const { id, response } = await hold(at)
      program.child.kill(signal)
      await site.control.waitFor(id, 'SIGTERM')
      await expect.poll(() => accepts(at)).toBe(false)
      site.control.send(id, 'continue')
      expect(await response).toContain(`GET /hold?id=${id}`)
      expect(await program.exited).toEqual({ code: 0, signal: null })
      expect(program.output).not.toContain('Debugger')
    },
  )

  test('a second SIGTERM does not cut off running requests', async () => {
    const { program, at } = await startWith({ port: 0 })
    const { id, response } = await hold(at)
    program.child.kill('SIGTERM')
    await site.control.waitFor(id, 'SIGTERM')
    program.child.kill('SIGTERM')
    program.child.kill('SIGUSR1')
    site.control.send(id, 'continue')
    expect(await response).toContain(`GET /hold?id=${id}`)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  test('idle keep-alive connections are closed', async () => {
    const { program, at } = await startWith({ port: 0 })
    const peer = await Peer.connect(at)
    peer.get(1, {}, { keepConn: true })
    await peer.response(1)
    expect(peer.ended).toBe(false)
    program.child.kill('SIGTERM')
    await peer.end()
    peer.destroy()
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  async function hold(at: Listening): Promise<{ id: string; response: Promise<string> }> {
    const id = randomUUID()
    const response = get(at, `/hold?id=${id}`)
    await site.control.waitFor(id, 'held')
    return { id, response }
  }
})

/** Starts the app with options for `serve`, and waits until it listens. */
async function startWith(options: object): Promise<{ program: Program; at: Listening }> {
  const program = start({ FCGI_BRIDGE_TEST_OPTIONS: JSON.stringify(options) })
  return { program, at: await listeningOf(program) }
}

function start(env: Record<string, string>, stdin: 'ignore' | 'pipe' | Socket = 'ignore'): Program {
  return site.start(process.execPath, [APP], {
    env: { ...process.env, ...site.appEnvironment(), ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  })
}

function spawnFcgi(where: string[], command: string[], env: Record<string, string> = {}): Program {
  return site.start(required('spawn-fcgi'), ['-n', ...where, '--', ...command], {
    env: { ...process.env, ...site.appEnvironment(), ...env },
  })
}

function shell(script: string): string[] {
  return ['/bin/sh', '-c', script]
}

function cgi(method: string, uri: string): Record<string, string> {
  return {
    GATEWAY_INTERFACE: 'CGI/1.1',
    REQUEST_METHOD: method,
    REQUEST_URI: uri,
    SERVER_NAME: 'front.test',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
  }
}

async function get(at: Listening, uri = '/'): Promise<string> {
  const peer = await Peer.connect(at)
  peer.get(1, { REQUEST_URI: uri })
  const { stdout } = await peer.response(1)
  peer.destroy()
  return stdout
}
