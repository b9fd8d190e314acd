// Uploads that an app reads late, while other requests run. To detect a front server that has disconnected, the server meanwhile
// writes an empty STDERR record, one byte at a time. Real front servers must ignore it.
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { content, digest } from '../support/apps/content.js'
import { open, readAll, send } from '../support/cases/http.ts'
import { apacheProxy } from '../support/fronts/apache-proxy.ts'
import { caddy } from '../support/fronts/caddy.ts'
import { APPS, type AppName, type Front, type Mode, type RunningFront } from '../support/fronts/front.ts'
import { h2o } from '../support/fronts/h2o.ts'
import { haproxy } from '../support/fronts/haproxy.ts'
import { lighttpd } from '../support/fronts/lighttpd.ts'
import { nginx } from '../support/fronts/nginx.ts'
import { WatchedSite } from '../support/fronts/watched-site.ts'

/** More bytes than the server, a relay and the sockets between them can buffer. */
const LENGTH = 12 * 1024 * 1024

/** A header and four bytes of padding. The last one is written three seconds after the first. */
const WRITES = 5

const TIMEOUT = 120_000

/** The modes in which the front server connects to an app that listens. The relay is between them. */
const FRONTS: [Front, readonly Mode[]][] = [
  [nginx, nginx.modes],
  [lighttpd, lighttpd.modes.filter(({ name }) => name !== 'bin-path')],
  [apacheProxy, apacheProxy.modes],
  [caddy, caddy.modes],
  [h2o, h2o.modes],
  [haproxy, haproxy.modes],
]

test.concurrent.for(FRONTS.map(([front, modes]) => ({ name: front.name, front, modes })))(
  '$name',
  { timeout: TIMEOUT },
  async ({ front, modes }, { onTestFailed }) => {
    const site = new WatchedSite()
    let report = ''
    onTestFailed(() => console.error(report))
    try {
      const running = await front.start(site)
      const before = pids(site)
      const logged = site.report().split('\n')
      const all = modes.flatMap((mode) => APPS.map((app) => ({ mode, app })))
      await Promise.all(all.map(({ mode, app }) => upload(site, running, mode, app)))
      // No front server or worker has exited (new workers may have started), and none has logged an error.
      expect(pids(site)).toEqual(expect.arrayContaining(before))
      const newLines = site
        .report()
        .split('\n')
        .filter((line) => !logged.includes(line))
      expect(newLines.filter((line) => /error|crit|alert|emerg|fatal|stderr/i.test(line))).toEqual([])
    } finally {
      report = site.report()
      await site.stop()
    }
  },
)

async function upload(site: WatchedSite, running: RunningFront, mode: Mode, app: AppName): Promise<void> {
  const origin = running.origin(mode.name, app)
  const [late, concurrent] = [randomUUID(), randomUUID()]
  if (!mode.traits.streamsResponses) site.control.send(concurrent, 'continue')
  const stream = await open(origin, `${mode.prefix}/stream?id=${concurrent}`)
  const path = `${mode.prefix}/late?id=${late}`
  const headers = ['Content-Length', String(LENGTH)]
  const response = send(origin, path, { method: 'POST', headers, body: content(LENGTH) })
  await site.sent(path, WRITES)

  site.control.send(concurrent, 'continue')
  expect((await readAll(stream)).toString()).toBe('first\nsecond\n')
  site.control.send(late, 'continue')
  const { status, text } = await response
  expect(status, `${mode.name}: ${app}: ${text}`).toBe(200)
  expect(JSON.parse(text)).toEqual(await digest(content(LENGTH)))
}

function pids(site: WatchedSite): number[] {
  return site.processes().map(({ pid }) => pid)
}
