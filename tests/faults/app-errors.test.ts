// Errors of an app that end its process: which requests fail, and which complete.
import { randomUUID } from 'node:crypto'
import { type ExpectStatic, test } from 'vitest'
import { send, type TestResponse } from '../support/cases/http.ts'
import type { Origin } from '../support/fronts/front.ts'
import { FAULTY_APPS, FaultSite, type RunningApp } from './fault-site.ts'

const ERRORS = [
  {
    fault: 'an exception in an event listener',
    path: '/throw-in-listener',
    ask: { method: 'POST', body: 'some' },
    printed: /^Error: thrown in an event listener\n +at /m,
  },
  {
    fault: 'an unhandled rejection',
    path: '/reject',
    ask: {},
    printed: /^Error: rejected, and not handled\n +at /m,
  },
]

for (const app of FAULTY_APPS) {
  test.concurrent.for(ERRORS)(
    `${app}: $fault ends the process, and only its own request fails`,
    { timeout: 120_000 },
    ({ path, ask, printed }, { expect }) =>
      withNeighbour(app, async ({ site, origin, program, neighbour, id }) => {
        const own = send(origin, path, ask)
        await program.printed(printed)
        // The server completes the running requests, and soon accepts no new one.
        await expect.poll(async () => (await send(origin, '/text')).status, { timeout: 20_000 }).toBe(502)
        site.control.send(id, 'continue')
        expect(await neighbour).toMatchObject({ status: 200, text: expect.stringContaining('held until') })
        expect((await own).status).toBe(503)
        expect(await program.exited).toEqual({ code: 1, signal: null })
        await expectNext(site, origin, expect)
      }),
  )

  test.concurrent(`${app}: process.exit ends all running requests`, { timeout: 120_000 }, ({ expect }) =>
    withNeighbour(app, async ({ site, origin, program, neighbour }) => {
      expect((await send(origin, '/exit')).status).toBe(502)
      expect(await program.exited).toEqual({ code: 3, signal: null })
      expect((await neighbour).status).toBe(502)
      await expectNext(site, origin, expect)
    }),
  )
}

test.concurrent('faulty-express: a finished response is complete, whatever the app does afterwards', ({
  expect,
}) =>
  withNeighbour('faulty-express', async ({ origin, program }) => {
    expect(await send(origin, '/respond-and-exit')).toMatchObject({
      status: 200,
      text: 'sent before the exit\n',
    })
    expect(await program.exited).toEqual({ code: 3, signal: null })
  }))

interface Neighbourhood extends RunningApp {
  site: FaultSite
  origin: Origin
  /** A request that the app holds until 'go' is sent for `id`. */
  neighbour: Promise<TestResponse>
  id: string
}

async function withNeighbour(app: string, run: (all: Neighbourhood) => Promise<void>): Promise<void> {
  const site = new FaultSite()
  try {
    const running = await site.startBehindNginx(app)
    const id = randomUUID()
    const neighbour = send(running.origin, `/hold?id=${id}`)
    await site.control.waitFor(id, 'held')
    await run({ ...running, site, neighbour, id })
  } finally {
    await site.stop()
  }
}

async function expectNext(site: FaultSite, origin: Origin, expect: ExpectStatic): Promise<void> {
  await site.restart(site.apps[0]!)
  expect((await send(origin, '/text')).status).toBe(200)
}
