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
import { startNginx } from '../support/fronts/nginx.ts'
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
    const answers = await Promise.all(
      [plain, registered].map(async (program) => {
        const [, port] = await program.printed(/^(\d+)$/m)
        const socket = connect(Number(port), '127.0.0.1')
        socket.end('GET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
        const answer = await text(socket)
        expect(program.output).toBe(`${port}\n`)
        return answer
      }),
    )
    expect(answers[0]).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/)
    expect(answers[1]).toBe(answers[0])
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
      const answer = await send({ host: '127.0.0.1', port }, '/')
      expect(answer.text).toBe(`hello from ${name === 'node-http.mjs' ? 'node:http' : name.split('.')[0]}`)
    }
    expect(await program.stop()).toEqual({ code: 0, signal: null })
  })
})

async function nginxFor(path: string): Promise<number> {
  chmodSync(path, 0o666)
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      upstream app { server unix:${path}; keepalive 8; }
      server {
        listen 127.0.0.1:${port};
        location / { include /etc/nginx/fastcgi_params; fastcgi_pass app; fastcgi_keep_conn on; }
      }`,
  )
  return port!
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
