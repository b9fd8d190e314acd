// No free file descriptor, or a full disk: the requests that need one fail, and all others succeed.
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { required } from '../support/fronts/programs.ts'
import { appFile, FAULTY_APPS, FaultSite } from './fault-site.ts'

let site: FaultSite

beforeEach(() => {
  site = new FaultSite()
  onTestFailed(() => console.error(site.report()))
})

afterEach(() => site.stop())

describe.each(FAULTY_APPS)('%s', (app) => {
  test('no file descriptor left: 502 for the requests that need one, and the others succeed', async () => {
    const { origin } = await site.startBehindNginx(app, 'ulimit -n 60; exec "$@"')
    const responses = await Promise.all(Array.from({ length: 100 }, () => send(origin, '/later')))
    const complete = responses.filter(({ text }) => text === 'later\n').length
    expect(complete).toBeGreaterThan(20)
    expect(responses.filter(({ status }) => status === 502).length).toBe(responses.length - complete)
    expect(await send(origin, '/text')).toMatchObject({ status: 200, text: 'some text\n' })
  })

  test('disk full during an upload that the app stores: 500, and the others succeed', async () => {
    const { origin } = await site.startBehindNginx(app)
    const id = randomUUID()
    const other = send(origin, `/hold?id=${id}`)
    await site.control.waitFor(id, 'held')
    const upload = { method: 'POST', body: Buffer.alloc(3_000_000) }
    const { status, text } = await send(origin, '/store?file=/dev/full', upload)
    expect(status).toBe(500)
    expect(text).not.toContain('ENOSPC')
    await site.logged('ENOSPC')
    site.control.send(id, 'continue')
    expect((await other).text).toContain('held until')
    expect((await send(origin, `/store?file=${site.path('stored')}`, upload)).text).toBe('stored\n')
  })

  test("disk full for the app's log: its responses are complete", async () => {
    const { origin } = await site.startBehindNginx(app, 'exec "$@" >/dev/full')
    for (let request = 0; request < 3; request++) {
      expect((await send(origin, '/print')).text).toBe('printed\n')
    }
  })

  // A separate full file system, in a separate mount namespace.
  test('disk full for the socket file: an error that says so, and exit status 1', async () => {
    const folder = site.makeFolder('full')
    const script = `mount -t tmpfs -o nr_inodes=1 none "${folder}" && exec "$@"`
    const inside = ['--map-root-user', '--mount', '--', '/bin/sh', '-c', script, 'sh']
    const program = site.start(required('unshare'), [...inside, process.execPath, appFile(app)], {
      env: { ...process.env, ...site.appEnvironment(), FCGI_BRIDGE_LISTEN: `${folder}/app.sock` },
    })
    expect(await program.exited).toEqual({ code: 1, signal: null })
    await program.printed(/ENOSPC: cannot listen on \S+\/full\/app\.sock: the disk is full/)
  })
})
