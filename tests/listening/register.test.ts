// node --import fcgi-bridge/register server.js: programs that listen for HTTP, unchanged.
import { chmodSync, existsSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { startNginxBefore } from '../support/fronts/nginx.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { HTTP_PROGRAMS, installPackages, startRegistered, writeProgram } from './http-programs.ts'

let site: Site

siteForEachTest((each) => {
  site = each
  installPackages(site)
})

/** Starts a program for FastCGI on the socket of the site. */
function start(name: string, env: Record<string, string> = {}, flag?: '--require'): Program {
  return startRegistered(site, name, { FCGI_BRIDGE_LISTEN: site.path('app.sock'), ...env }, flag)
}

async function get(path = '/', at = site.path('app.sock')): Promise<string> {
  const dispatcher = new FastCgiDispatcher({ path: at })
  try {
    const { body } = await request(`http://test${path}`, { dispatcher })
    return await body.text()
  } finally {
    await dispatcher.close()
  }
}

const names = Object.keys(HTTP_PROGRAMS)

describe('on a laptop, not started for FastCGI', () => {
  const PROGRAM = `
    import { createServer, Server as HttpServer } from 'node:http'
    import { Server as NetServer } from 'node:net'
    const own = Object.getOwnPropertyDescriptor(NetServer.prototype, 'listen').value.toString()
    const server = createServer((request, response) => {
      response.sendDate = false
      response.end(JSON.stringify({
        own,
        isReplaced: Object.hasOwn(HttpServer.prototype, 'listen') || Object.hasOwn(server, 'listen'),
        symbols: Object.getOwnPropertySymbols(globalThis).map(String),
        env: process.env,
        signals: ['SIGTERM', 'SIGINT', 'SIGUSR1'].map((signal) => process.listenerCount(signal)),
        headers: request.rawHeaders,
      }))
    })
    server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

  test.each(['--import', '--require'] as const)('%s: the same HTTP server, byte for byte', async (flag) => {
    site.write('server.mjs', PROGRAM)
    const env = { PATH: process.env.PATH! }
    const plain = site.start(process.execPath, ['server.mjs'], { cwd: site.folder, env })
    const registered = startRegistered(site, 'server.mjs', {}, flag)
    const responses = await Promise.all(
      [plain, registered].map(async (program) => {
        const [, port] = await program.printed(/^(\d+)$/m)
        const socket = connect(Number(port), '127.0.0.1')
        socket.end('GET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
        const response = await text(socket)
        expect(program.output).toBe(`${port}\n`)
        return response
      }),
    )
    expect(responses[0]).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/)
    expect(responses[1]).toBe(responses[0])
    expect(await registered.stop()).toEqual({ code: null, signal: 'SIGTERM' })
  })
})

describe('behind nginx, on a Unix socket with kept connections', () => {
  test.each(names)('%s', async (name) => {
    writeProgram(site, name)
    const program = start(name, {}, name.endsWith('.cjs') ? '--require' : undefined)
    await program.printed(/the program listens/)
    const port = await nginxFor(site.path('app.sock'))
    for (let round = 0; round < 3; round++) {
      const response = await send({ host: '127.0.0.1', port }, '/')
      expect(response.text).toBe(`hello from ${name === 'node-http.mjs' ? 'node:http' : name.split('.')[0]}`)
    }
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })
})

describe('each way to start it', () => {
  const node = (...words: string[]): string =>
    [process.execPath, '--import', 'fcgi-bridge/register', ...words].join(' ')

  test('a listening socket as standard input', async () => {
    writeProgram(site, 'express.cjs')
    const program = spawnFcgi(`exec ${node('express.cjs')}`)
    await program.printed(/the program listens/)
    expect(await get()).toBe('hello from express')
  })

  test('systemd', async () => {
    writeProgram(site, 'fastify.mjs')
    const program = spawnFcgi(`LISTEN_PID=$$ LISTEN_FDS=1 exec ${node('fastify.mjs')} 3<&0 0</dev/null`)
    await program.printed(/the program listens/)
    expect(await get()).toBe('hello from fastify')
  })

  test('systemd, and a program that listens on its descriptor, with PORT set', async () => {
    const listens =
      "import { createServer } from 'node:http'\ncreateServer((request, response) => response.end('hello')).listen({ fd: 3 }, started)"
    writeProgram(site, 'systemd.mjs', listens)
    const program = spawnFcgi(
      `PORT=3000 LISTEN_PID=$$ LISTEN_FDS=1 exec ${node('systemd.mjs')} 3<&0 0</dev/null`,
    )
    await program.printed(/the program listens/)
    expect(await get()).toBe('hello')
  })

  test('a CGI server: one request', async () => {
    const cgi = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/', SERVER_NAME: 'test' }
    for (const name of ['node-http.mjs', 'hapi.cjs']) {
      site.write(name, `${HTTP_PROGRAMS[name]}\nfunction started() {}`)
      const program = startRegistered(site, name, { ...cgi, SERVER_PORT: '80' })
      expect(await program.exited).toEqual({ code: 0, signal: null })
      expect(program.output).toMatch(/^Status: 200 OK\r\n[\s\S]*hello from [\w:]+$/)
    }
  })

  test.each(['express.cjs', 'fastify.mjs', 'hapi.cjs', 'h3.mjs'])(
    'mod_fcgid, by a shell script: %s',
    async (name) => {
      const program = writeProgram(
        site,
        name,
        `${HTTP_PROGRAMS[name]}
      if (process.env.NODE_ENV !== 'production') throw new Error('started without NODE_ENV')`,
      )
      const shim = site.write('app.fcgi', `#!/bin/sh\ncd "${site.folder}" && exec ${node(program)}\n`)
      chmodSync(shim, 0o755)
      const { ports } = await startApache(site, {
        modules: ['fcgid'],
        server: fcgidDirectives(site),
        hosts: [
          `ScriptAlias "/" "${shim}/"
        <Directory "${site.folder}">
          SetHandler fcgid-script
          Require all granted
        </Directory>`,
        ],
      })
      const origin = { host: '127.0.0.1', port: ports[0]! }
      for (let round = 0; round < 2; round++) {
        expect((await send(origin, '/')).text).toBe(`hello from ${name.split('.')[0]}`)
      }
    },
  )

  function spawnFcgi(command: string): Program {
    const args = ['-n', '-s', site.path('app.sock'), '--', '/bin/sh', '-c', command]
    return site.start(required('spawn-fcgi'), args, { cwd: site.folder, env: { PATH: process.env.PATH! } })
  }
})

describe('which server', () => {
  const HTTP = "import { createServer } from 'node:http'\n"

  test('one that only probes a port is not it', async () => {
    for (const command of [undefined, 'socket']) {
      site.write(
        'server.mjs',
        `${HTTP}
        const probe = createServer()
        await new Promise((resolve) => probe.listen(3000, () => probe.close(resolve)))
        const sync = createServer().listen(3000)
        sync.close()
        const server = createServer((request, response) => response.end('the app'))
        server.listen(3000, () => console.log('listens', server.address().port))`,
      )
      const path = site.path('app.sock')
      const program =
        command === undefined
          ? start('server.mjs')
          : site.start(
              required('spawn-fcgi'),
              ['-n', '-s', path, '--', process.execPath, '--import', 'fcgi-bridge/register', 'server.mjs'],
              { cwd: site.folder, env: { PATH: process.env.PATH! } },
            )
      await program.printed(/listens 3000/)
      expect(await get()).toBe('the app')
      await program.stop()
    }
  })

  const TWO = (first: number, second: number): string => `${HTTP}
    createServer((request, response) => response.end('first')).listen(${first}, '127.0.0.1')
    const second = createServer((request, response) => response.end('second'))
    second.listen(${second}, '127.0.0.1', () => console.log('both listen'))`

  test('the first; the second listens as it is, with one line that says so', async () => {
    const [port] = await freePorts(1)
    site.write('server.mjs', TWO(3000, port!))
    const program = start('server.mjs')
    await program.printed(/both listen/)
    await program.printed(
      new RegExp(`^fcgi-bridge: this program also listens on 127\\.0\\.0\\.1:${port} .*PORT`, 'm'),
    )
    expect(await get()).toBe('first')
    expect((await send({ host: '127.0.0.1', port: port! }, '/')).text).toBe('second')
    expect(program.output.match(/fcgi-bridge: .*/g)).toEqual([
      `fcgi-bridge: this program serves FastCGI on ${site.path('app.sock')}, and not HTTP, because FCGI_BRIDGE_LISTEN is set.`,
      expect.stringContaining('also listens on'),
    ])
  })

  test('the one on PORT, if that is set', async () => {
    const [port] = await freePorts(1)
    site.write('server.mjs', TWO(port!, 3000))
    const program = start('server.mjs', { PORT: '3000' })
    await program.printed(/both listen/)
    await program.printed(/this program also listens/)
    expect(await accepting({ path: site.path('app.sock') }, () => !program.running)).toBe(true)
    expect(await get()).toBe('second')
    expect((await send({ host: '127.0.0.1', port: port! }, '/')).text).toBe('first')
  })

  test('the first, if none listens on PORT', async () => {
    const [port] = await freePorts(1)
    site.write('server.mjs', TWO(port!, 0))
    const program = start('server.mjs', { PORT: '3000' })
    await program.printed(/this program also listens/)
    expect(await accepting({ path: site.path('app.sock') }, () => !program.running)).toBe(true)
    expect(await get()).toBe('first')
  })

  test('Fastify on localhost opens no port of either address family', async () => {
    site.write(
      'server.mjs',
      `import Fastify from 'fastify'
      const app = Fastify()
      app.get('/', async () => 'the app')
      console.log(await app.listen({ port: Number(process.env.OWN_PORT), host: 'localhost' }), app.addresses())
      process.on('SIGTERM', () => app.close())`,
    )
    const [port] = await freePorts(1)
    const program = start('server.mjs', { OWN_PORT: String(port) })
    await program.printed(new RegExp(`http://127\\.0\\.0\\.1:${port}`))
    expect(await get()).toBe('the app')
    expect([await accepts(port!), await accepts(port!, '::1')]).toEqual([false, false])
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })

  test('a second server on the same port, with another address, listens nowhere', async () => {
    const [port] = await freePorts(1)
    site.write(
      'server.mjs',
      `${HTTP}
      createServer((request, response) => response.end('the app')).listen(${port}, '127.0.0.1', function () {
        const second = createServer()
        second.listen({ port: this.address().port, host: '127.0.0.2' }, () => console.log('both listen', second.address()))
      })`,
    )
    const program = start('server.mjs')
    await program.printed(new RegExp(`both listen .*127\\.0\\.0\\.2.* port: ${port}`))
    expect(await get()).toBe('the app')
    expect([await accepts(port!), await accepts(port!, '127.0.0.2')]).toEqual([false, false])
    expect(program.output).not.toContain('also listens')
  })

  test.each([
    ['https', 'https.Server'],
    ['http2', 'HTTP/2 server'],
  ])('not one of node:%s: the error says what to do', async (module, kind) => {
    site.write('server.mjs', `import { createServer } from 'node:${module}'\ncreateServer().listen(0)`)
    const program = start('server.mjs')
    expect(await program.exited).toEqual({ code: 1, signal: null })
    expect(program.output).toContain(`its ${kind} cannot serve it`)
    expect(program.output).toContain('call http.createServer()')
  })

  test('none of a worker thread', async () => {
    site.write(
      'server.mjs',
      `import { createServer } from 'node:http'
      import { isMainThread, parentPort, Worker } from 'node:worker_threads'
      const server = createServer((request, response) => response.end(isMainThread ? 'main' : 'worker'))
      if (isMainThread) {
        const worker = new Worker(new URL(import.meta.url))
        worker.on('message', (port) => server.listen(3000, () => console.log('worker on', port)))
      } else server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
    )
    const program = start('server.mjs')
    const [, port] = await program.printed(/worker on (\d+)/)
    await program.printed(/fcgi-bridge: a worker thread listens on 127\.0\.0\.1:\d+ for HTTP/)
    expect(await get()).toBe('main')
    expect((await send({ host: '127.0.0.1', port: Number(port) }, '/')).text).toBe('worker')
  })

  test('not one of a program that it starts', async () => {
    site.write(
      'server.mjs',
      `import { fork } from 'node:child_process'
      import { createServer } from 'node:http'
      const server = createServer((request, response) => response.end('parent'))
      server.listen(3000, () => fork('child.mjs', { stdio: 'inherit' }))`,
    )
    site.write(
      'child.mjs',
      `import { createServer } from 'node:http'
      process.on('disconnect', () => process.exit())
      const server = createServer((request, response) => response.end('child'))
      server.listen(0, '127.0.0.1', () => console.log('child on', server.address().port))`,
    )
    const program = start('server.mjs')
    const [, port] = await program.printed(/child on (\d+)/)
    expect((await send({ host: '127.0.0.1', port: Number(port) }, '/')).text).toBe('child')
    expect(await get()).toBe('parent')
  })

  test.each(['FCGI_BRIDGE_LISTEN', 'fd 0', 'systemd'])(
    'each worker of a cluster, on one socket: %s',
    async (way) => {
      site.write(
        'server.mjs',
        `import cluster from 'node:cluster'
      import { createServer } from 'node:http'
      if (cluster.isPrimary) {
        let online = 0
        for (const _ of [1, 2]) cluster.fork().on('listening', () => { if (++online === 2) console.log('both listen') })
        process.on('SIGTERM', () => cluster.disconnect())
      } else createServer((request, response) => response.end('worker')).listen(3000)`,
      )
      const path = site.path('app.sock')
      const command = `exec ${process.execPath} --import fcgi-bridge/register server.mjs`
      const systemd = `LISTEN_PID=$$ LISTEN_FDS=1 ${command} 3<&0 0</dev/null`
      const program =
        way === 'FCGI_BRIDGE_LISTEN'
          ? start('server.mjs')
          : site.start(
              required('spawn-fcgi'),
              ['-n', '-s', path, '--', '/bin/sh', '-c', way === 'fd 0' ? command : systemd],
              { cwd: site.folder, env: { PATH: process.env.PATH! } },
            )
      await program.printed(/both listen/)
      for (let round = 0; round < 3; round++) expect(await get()).toBe('worker')
      expect(await program.stop()).toEqual({ code: 0, signal: null })
    },
  )
})

describe('the queue of connections has the length that the program passes to listen()', () => {
  const register = ['--import', 'fcgi-bridge/register', 'server.mjs']

  test.each([
    ['an argument', "3000, '127.0.0.1', 2", register],
    ['an option', '{ port: 3000, backlog: 2 }', register],
    [
      'an option, with fcgi-bridge serve',
      '{ port: 3000, backlog: 2 }',
      [COMMAND_LINE, 'serve', 'server.mjs'],
    ],
  ])('%s', async (_, args, command) => {
    // The program accepts no connection, so its queue fills.
    site.write(
      'server.mjs',
      `import { createServer } from 'node:http'
      createServer().listen(${args}, () => {
        console.log('listens')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      })`,
    )
    const path = site.path('app.sock')
    const program = site.start(process.execPath, command, {
      cwd: site.folder,
      env: { PATH: process.env.PATH!, FCGI_BRIDGE_LISTEN: path },
    })
    await program.printed(/listens/)
    const sockets = Array.from({ length: 20 }, () => connect({ path }))
    const connected = sockets.map(
      (socket) =>
        new Promise((resolve) => {
          socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
        }),
    )
    // Linux lets one more wait.
    expect((await Promise.all(connected)).filter(Boolean)).toHaveLength(3)
    for (const socket of sockets) socket.destroy()
    await program.kill()
  })
})

describe('its life', () => {
  test('it listens again after close()', async () => {
    site.write(
      'server.mjs',
      `import { createServer } from 'node:http'
      const server = createServer((request, response) => {
        response.end(request.url)
        if (request.url === '/restart') server.close(() => server.listen(3000, () => console.log('listens again')))
      })
      server.listen(3000, () => console.log('listens'))`,
    )
    const program = start('server.mjs')
    await program.printed(/listens/)
    expect(await get('/restart')).toBe('/restart')
    await program.printed(/listens again/)
    expect(await get('/after')).toBe('/after')
  })

  test('listening again on a socket that was inherited is an error that says what to do', async () => {
    site.write(
      'server.mjs',
      `import { createServer } from 'node:http'
      const server = createServer((request, response) => {
        response.end()
        server.close(() => server.listen(3000))
      })
      server.listen(3000, () => console.log('listens'))`,
    )
    const args = ['-n', '-s', site.path('app.sock'), '--', process.execPath]
    const program = site.start(
      required('spawn-fcgi'),
      [...args, '--import', 'fcgi-bridge/register', 'server.mjs'],
      { cwd: site.folder, env: { PATH: process.env.PATH! } },
    )
    await program.printed(/listens/)
    await get()
    expect(await program.exited).toEqual({ code: 1, signal: null })
    expect(program.output).toContain('Start the program with FCGI_BRIDGE_LISTEN=127.0.0.1:9000')
  })

  test('the signal of listen() closes it', async () => {
    site.write(
      'server.mjs',
      `import { createServer } from 'node:http'
      const controller = new AbortController()
      const server = createServer((request, response) => {
        response.end('bye')
        controller.abort()
      })
      server.on('close', () => console.log('closed'))
      server.listen({ port: 3000, host: 'localhost', signal: controller.signal }, () => console.log('listens'))`,
    )
    const program = start('server.mjs')
    await program.printed(/listens/)
    expect(await get()).toBe('bye')
    await program.printed(/closed/)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  test.each([['signal-exit'], ['signal-exit3'], ['signal-exit', 'signal-exit3']])(
    'SIGTERM ends a program whose libraries use %s %s, and lets them clean up',
    async (...packages) => {
      site.write(
        'server.cjs',
        `const { createServer } = require('node:http')
        for (const name of ${JSON.stringify(packages)}) {
          const { onExit = require(name) } = require(name)
          onExit((code, signal) => console.log('clean up', name, code, signal))
        }
        createServer((request, response) => response.end('hello')).listen(3000, () => console.log('listens'))
        setInterval(() => {}, 1000)`,
      )
      const program = start('server.cjs')
      await program.printed(/listens/)
      expect(await get()).toBe('hello')
      expect(await program.stop()).toEqual({ code: 0, signal: null })
      for (const name of packages) expect(program.output).toContain(`clean up ${name} 0 null`)
    },
  )

  test('SIGTERM lets a request finish, unless the program handles it', async () => {
    const app = `
      import { createServer } from 'node:http'
      const server = createServer((request, response) => {
        console.log('arrived')
        process.once('SIGUSR2', () => response.end('whole'))
      })
      server.listen(3000, () => console.log('listens'))`
    for (const [own, status] of [
      ['', { code: 0, signal: null }],
      ["process.on('SIGTERM', () => server.close(() => process.exit(7)))", { code: 7, signal: null }],
    ] as const) {
      site.write('server.mjs', `${app}\n${own}`)
      const program = start('server.mjs')
      await program.printed(/listens/)
      const response = get()
      await program.printed(/arrived/)
      program.child.kill('SIGTERM')
      await expect.poll(() => existsSync(site.path('app.sock'))).toBe(false)
      program.child.kill('SIGUSR2')
      expect(await response).toBe('whole')
      expect(await program.exited).toEqual(status)
    }
  })

  test('an address that is in use ends the program with a status', async () => {
    writeProgram(site, 'node-http.mjs')
    const first = start('node-http.mjs')
    await first.printed(/the program listens/)
    const second = start('node-http.mjs')
    expect((await second.exited).code).not.toBe(0)
    expect(second.output).toMatch(/EADDRINUSE: .*app\.sock is in use by a live server/)
    expect(await get()).toBe('hello from node:http')
  })

  test('a program that calls serve() of an adapter is not taken twice', async () => {
    const adapter = JSON.stringify(import.meta.resolve('@fcgi-bridge/express-adapter'))
    site.write(
      'server.mjs',
      `import { createServer } from 'node:http'
      import { serve } from ${adapter}
      await serve((request, response) => response.end('served'))
      createServer((request, response) => response.end('metrics')).listen(0, '127.0.0.1', () => console.log('listens'))`,
    )
    const program = start('server.mjs')
    await program.printed(/listens/)
    await program.printed(/this program also listens/)
    expect(await get()).toBe('served')
  })
})

async function nginxFor(path: string): Promise<number> {
  chmodSync(path, 0o666)
  return startNginxBefore(site, { path }, 'fastcgi_keep_conn on;', 'keepalive 8;')
}

async function accepts(port: number, host = '127.0.0.1'): Promise<boolean> {
  const socket = connect(port, host)
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).then((isAccepted) => {
    socket.destroy()
    return isAccepted as boolean
  })
}
