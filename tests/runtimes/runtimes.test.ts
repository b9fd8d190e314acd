// The adapters on Bun and Deno, behind nginx with kept connections.

import { chmodSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { open, readUntil, send } from '../support/cases/http.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const PACKAGES = fileURLToPath(new URL('../../scripts/node_modules', import.meta.url))

const RUNTIMES = {
  Bun: [`${PACKAGES}/@oven/bun-linux-x64-baseline/bin/bun`],
  Deno: [`${PACKAGES}/@deno/linux-x64-glibc/deno`, 'run', '--allow-all'],
} as const

let site: Site

siteForEachTest((each) => {
  site = each
})

test.each([
  ['Bun', 'fetch'],
  ['Bun', 'express'],
  ['Deno', 'fetch'],
  ['Deno', 'express'],
] as const)('%s runs the %s adapter', async (runtime, adapter) => {
  const { program, origin } = await start(runtime, adapter)
  const get = (path: string) => send(origin, path, { headers: ['Host', 'app.test', 'Cookie', 'c=3'] })

  expect((await get('/a%2Fb?c')).text).toBe('GET http://app.test/a%2Fb?c from 127.0.0.1')
  const json = ['Content-Type', 'application/json']
  const posted = await send(origin, '/json', { method: 'POST', headers: json, body: '{"a":"ä"}' })
  expect(JSON.parse(posted.text)).toEqual({ a: 'ä' })
  const large = await get('/large')
  expect([large.body.length, large.body.at(-1)]).toEqual([3_000_000, 97])
  const cookies = await get('/cookies')
  expect(cookies.text).toBe('c=3')
  expect(cookies.headers['set-cookie']?.map((cookie) => cookie.slice(0, 3))).toEqual(['a=1', 'b=2'])
  const failed = await get('/fail')
  expect(failed.status).toBe(500)
  expect(failed.text).not.toContain('secret')

  const events = await open(origin, '/events')
  await readUntil(events, 'data: event')
  events.destroy()
  await expect.poll(async () => (await get('/left')).text).toBe('1')

  expect(await program.stop()).toEqual({ code: 0, signal: null })
})

async function start(runtime: keyof typeof RUNTIMES, adapter: string) {
  const path = site.path('app.sock')
  const [file, ...args] = [...RUNTIMES[runtime], `${adapter}.mjs`]
  const program: Program = site.start(file!, args, {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: { ...process.env, NODE_ENV: 'production', FCGI_BRIDGE_LISTEN: path },
  })
  if (!(await accepting({ path }, () => !program.running))) throw new Error(program.output)
  // nginx may run as another user.
  chmodSync(path, 0o666)
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      upstream app { server unix:${path}; keepalive 8; }
      server {
        listen 127.0.0.1:${port};
        location / {
          include /etc/nginx/fastcgi_params;
          fastcgi_pass app;
          fastcgi_keep_conn on;
          fastcgi_buffering off;
        }
      }`,
  )
  return { program, origin: { host: '127.0.0.1', port: port! } }
}
