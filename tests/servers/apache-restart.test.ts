// mod_fcgid's apps while Apache stops and restarts: running requests complete, and no process is left.
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'vitest'
import { send, type TestResponse } from '../support/cases/http.ts'
import { type Apache, startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { APPS, type Origin } from '../support/fronts/front.ts'
import { waitForExit } from '../support/fronts/processes.ts'
import { Site } from '../support/fronts/site.ts'

/** Time limit for mod_fcgid to end a process, in milliseconds. */
const EXIT_TIMEOUT = 30_000

describe.concurrent.each(APPS)('%s', (app) => {
  test('graceful restart: running requests complete, and later requests reach new processes', async (context) => {
    const { expect } = context
    const { site, apache, origin } = await start(context)
    const held = await Promise.all([hold(site, origin), hold(site, origin)])
    process.kill(apache.pid, 'SIGUSR1')
    // mod_fcgid signals its processes to exit, even while they serve requests.
    await Promise.all(held.map(({ id }) => site.control.waitFor(id, 'SIGTERM')))
    for (const { id } of held) site.control.send(id, 'continue')
    for (const { response, pid } of held)
      expect(await response).toMatchObject({ status: 200, text: `held by ${pid}\n` })
    expect(await waitForExit(() => processes(site, held), EXIT_TIMEOUT)).toEqual([])

    const next = await hold(site, origin)
    site.control.send(next.id, 'continue')
    expect(await next.response).toMatchObject({ status: 200 })
    expect(held.map(({ pid }) => pid)).not.toContain(next.pid)
  })

  test('graceful stop: running requests complete, and all processes exit', async (context) => {
    const { expect } = context
    const { site, apache, origin } = await start(context)
    const held = await Promise.all([hold(site, origin), hold(site, origin)])
    process.kill(apache.pid, 'SIGWINCH')
    await site.logged('shutting down gracefully')
    for (const { id } of held) site.control.send(id, 'continue')
    for (const { response, pid } of held)
      expect(await response).toMatchObject({ status: 200, text: `held by ${pid}\n` })
    await apache.exited
    expect(await waitForExit(() => site.processes(), EXIT_TIMEOUT)).toEqual([])
  })

  test('stop with idle processes: all processes exit', async (context) => {
    const { expect } = context
    const { site, apache, origin } = await start(context)
    const { id, response, pid } = await hold(site, origin)
    site.control.send(id, 'continue')
    expect(await response).toMatchObject({ status: 200, text: `held by ${pid}\n` })
    process.kill(apache.pid, 'SIGTERM')
    await apache.exited
    expect(await waitForExit(() => site.processes(), EXIT_TIMEOUT)).toEqual([])
  })

  async function start({
    onTestFailed,
    onTestFinished,
  }: TestContext): Promise<{ site: Site; apache: Apache; origin: Origin }> {
    const site = new Site()
    onTestFailed(() => console.error(site.report()))
    onTestFinished(() => site.stop())
    const program = site.writeProgram('app.fcgi', app)
    const host = `
      ScriptAlias "/" "${program}/"
      <Location "/">
        SetHandler fcgid-script
      </Location>`
    const apache = await startApache(site, {
      modules: ['fcgid'],
      server: fcgidDirectives(site),
      hosts: [host],
    })
    return { site, apache, origin: { host: '127.0.0.1', port: apache.ports[0]! } }
  }
})

interface Held {
  id: string
  /** The id of the app process that serves the request. */
  pid: number
  response: Promise<TestResponse>
}

/** Sends a request that the app holds until the test sends 'continue'. */
async function hold(site: Site, origin: Origin): Promise<Held> {
  const id = randomUUID()
  const response = send(origin, `/hold?id=${id}`)
  return { id, pid: Number(await site.control.waitFor(id, 'held')), response }
}

function processes(site: Site, held: readonly Held[]): ReturnType<Site['processes']> {
  return site.processes().filter((process) => held.some(({ pid }) => pid === process.pid))
}
