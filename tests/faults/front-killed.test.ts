// The front server is killed during requests. The app sees aborted requests, and is not affected otherwise.
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'vitest'
import { open, readUntil } from '../support/cases/http.ts'
import { apacheFcgid } from '../support/fronts/apache-fcgid.ts'
import { apacheProxy } from '../support/fronts/apache-proxy.ts'
import { caddy } from '../support/fronts/caddy.ts'
import { APPS } from '../support/fronts/front.ts'
import { h2o } from '../support/fronts/h2o.ts'
import { haproxy } from '../support/fronts/haproxy.ts'
import { lighttpd } from '../support/fronts/lighttpd.ts'
import { nginx } from '../support/fronts/nginx.ts'
import { kill } from '../support/fronts/processes.ts'
import { askDirectly, FaultSite, socketsOf } from './fault-site.ts'

test.concurrent.for([nginx, apacheProxy, lighttpd, caddy, h2o, haproxy])(
  '$name is killed: its requests end, the apps continue, and no socket stays open',
  { timeout: 120_000 },
  async (front, { expect, onTestFailed }) => {
    const site = new FaultSite()
    let log = ''
    onTestFailed(() => console.error(log))
    try {
      const { origin } = await front.start(site)
      for (const { at } of site.apps) await askDirectly(at, '/text')
      const before = site.apps.map(({ program }) => socketsOf(program.pid))
      const modes = front.modes.filter(({ name }) => name !== 'bin-path')
      const ids = await Promise.all(
        modes.flatMap((mode) =>
          APPS.map(async (app) => {
            const [streaming, waiting, uploading] = [randomUUID(), randomUUID(), randomUUID()]
            const at = origin(mode.name, app)
            const events = await open(at, `/events?id=${streaming}`)
            events.on('error', () => {})
            await readUntil(events, 'data: ')
            open(at, `/hold?id=${waiting}`).catch(() => {})
            await site.control.waitFor(waiting, 'held')
            if (!mode.traits.streamsBodies) return { streaming, waiting, uploading: undefined }
            const uploader = connect(at).on('error', () => {})
            uploader.write(
              `POST /upload?id=${uploading} HTTP/1.1\r\nHost: front.test\r\nContent-Length: 900000\r\n\r\n${'x'.repeat(90_000)}`,
            )
            await site.control.waitFor(uploading, 'started')
            return { streaming, waiting, uploading }
          }),
        ),
      )

      site.killFronts()
      for (const { streaming, waiting, uploading } of ids) {
        await site.control.waitFor(streaming, 'disconnected')
        if (uploading !== undefined) await site.control.waitFor(uploading, 'failed')
        // The front server no longer waits for this response.
        site.control.send(waiting, 'continue')
      }
      for (const [index, { at, program }] of site.apps.entries()) {
        expect(await askDirectly(at, '/text')).toContain('some text\n')
        await expect.poll(() => socketsOf(program.pid)).toBeLessThanOrEqual(before[index]!)
      }
    } finally {
      log = site.report()
      await site.stop()
    }
  },
)

test.concurrent('Apache is killed: the processes of mod_fcgid continue, and exit on a signal', {
  timeout: 120_000,
}, async ({ expect }) => {
  const site = new FaultSite()
  try {
    const { origin } = await apacheFcgid.start(site)
    const id = randomUUID()
    open(origin('ScriptAlias', 'fetch'), `/shop/hold?id=${id}`).catch(() => {})
    const pid = Number(await site.control.waitFor(id, 'held'))
    const others = () => site.processes().filter((process) => process.pid !== pid)
    for (const other of others()) kill(other.pid)
    await expect.poll(others).toEqual([])
    process.kill(pid, 'SIGTERM')
    await site.control.waitFor(id, 'SIGTERM')
    site.control.send(id, 'continue')
    await expect.poll(() => site.processes()).toEqual([])
  } finally {
    await site.stop()
  }
})
