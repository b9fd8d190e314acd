// A server drains in the moment in which nginx sends a request on an idle connection. To make them meet, nginx is stopped meanwhile.
import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { startNginxBefore } from '../support/fronts/nginx.ts'
import { listeningOf, type Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { HeldSocket } from '../support/held-socket.ts'

let site: Site

siteForEachTest(
  (each) => {
    site = each
  },
  (each) => each.kill(),
)

test.each([
  ['tcp', 0],
  ['unix', 0],
  ['tcp', 3000],
  ['unix', 3000],
] as const)('over %s, idle for %i ms before: the request gets its response', async (transport, idle) => {
  const held = await HeldSocket.open(site, transport)
  const old = held.start()
  await listeningOf(old)
  const port = await startNginxBefore(site, held.at, 'fastcgi_keep_conn on;', 'keepalive 16;')
  const origin = { host: '127.0.0.1', port }
  // With a connection that nginx has accepted before, nginx learns at the same time of the request and of what the server has sent.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  // The signals go to nginx's process group. 0 would be that of the test itself.
  let nginx = 0
  try {
    expect((await send(origin, '/', { agent })).status).toBe(200)
    nginx = Number(readFileSync(site.path('nginx.pid'), 'utf8'))
    expect(nginx).toBeGreaterThan(1)
    await setTimeout(idle)
    process.kill(-nginx, 'SIGSTOP')
    const response = send(origin, '/', { agent, method: 'POST', body: 'hello' })
    await setTimeout(50)
    const next = held.start()
    await listeningOf(next)
    old.child.kill('SIGTERM')
    // Longer than the server lets connections of other front servers be idle.
    await Promise.race([old.exited, setTimeout(700)])
    process.kill(-nginx, 'SIGCONT')
    const { status, text } = await response
    expect([status, text]).toEqual([200, expect.stringContaining('POST, 5 bytes')])
    expect(await old.exited).toEqual({ code: 0, signal: null })
  } finally {
    if (nginx > 1) process.kill(-nginx, 'SIGCONT')
    agent.destroy()
    held.close()
  }
})
