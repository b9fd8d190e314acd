// Programs that listen for HTTP, with nothing of FastCGI in them, and what starts them.

import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Program } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'

const PACKAGES = [
  'signal-exit',
  'signal-exit3',
  'express',
  'fastify',
  'koa',
  '@hapi/hapi',
  'socket.io',
  'hono',
  '@hono/node-server',
  'h3',
]

/** Programs that listen on 127.0.0.1:3000, and respond to `GET /` with `hello from NAME`. */
export const HTTP_PROGRAMS: Readonly<Record<string, string>> = {
  'node-http.mjs': `
    import { createServer } from 'node:http'
    createServer((request, response) => response.end('hello from node:http')).listen(3000, '127.0.0.1', started)`,
  'express.cjs': `
    const app = require('express')()
    app.get('/', (request, response) => response.send('hello from express'))
    app.listen(3000, started)`,
  'koa.cjs': `
    const app = new (require('koa').default ?? require('koa'))()
    app.use((context) => { context.body = 'hello from koa' })
    app.listen({ port: 3000, host: '0.0.0.0' }, started)`,
  'fastify.mjs': `
    import Fastify from 'fastify'
    const app = Fastify()
    app.get('/', async () => 'hello from fastify')
    const address = await app.listen({ port: 3000 })
    // localhost is ::1 first where /etc/hosts says so.
    if (!['http://127.0.0.1:3000', 'http://[::1]:3000'].includes(address)) throw new Error('unexpected address ' + address)
    started()`,
  'hapi.cjs': `
    const server = require('@hapi/hapi').server({ port: 3000, host: 'localhost' })
    server.route({ method: 'GET', path: '/', handler: () => 'hello from hapi' })
    server.start().then(() => {
      if (server.info.uri !== 'http://localhost:3000') throw new Error('unexpected address ' + server.info.uri)
      started()
    })`,
  'hono.mjs': `
    import { serve } from '@hono/node-server'
    import { Hono } from 'hono'
    const app = new Hono().get('/', (context) => context.text('hello from hono'))
    serve({ fetch: app.fetch, port: 3000 }, (info) => {
      if (info.port !== 3000) throw new Error('unexpected port ' + info.port)
      started()
    })`,
  'h3.mjs': `
    import { H3, serve } from 'h3'
    const app = new H3().get('/', () => 'hello from h3')
    await serve(app, { port: 3000, silent: true }).ready()
    started()`,
}

const STARTED = "\nfunction started() { console.log('the program listens') }\n"

/** Writes a program into the site, next to the packages that it may import. Returns its path. */
export function writeProgram(site: Site, name: string, text: string = HTTP_PROGRAMS[name]!): string {
  return site.write(name, text + STARTED)
}

/** Makes `node_modules` in the site: frameworks, and fcgi-bridge as npm installs it. */
export function installPackages(site: Site): void {
  link(site, 'fcgi-bridge', '../../packages/cli')
  for (const name of PACKAGES) link(site, name, `../node_modules/${name}`)
}

function link(site: Site, name: string, target: string): void {
  const path = site.path('node_modules', name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(fileURLToPath(new URL(target, import.meta.url)), path)
}

/** Starts `node --import fcgi-bridge/register NAME`, or with `--require`, in the site. */
export function startRegistered(
  site: Site,
  name: string,
  env: Record<string, string>,
  flag: '--import' | '--require' = '--import',
): Program {
  return site.start(process.execPath, [flag, 'fcgi-bridge/register', name], {
    cwd: site.folder,
    env: { PATH: process.env.PATH!, ...env },
  })
}
