// Apps receive SIGTERM while front servers send requests.
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { test } from 'vitest'
import { content, digest } from '../support/apps/content.js'
import { send, type TestResponse } from '../support/cases/http.ts'
import { apacheProxy } from '../support/fronts/apache-proxy.ts'
import { APPS, type Origin } from '../support/fronts/front.ts'
import { haproxy } from '../support/fronts/haproxy.ts'
import { nginx } from '../support/fronts/nginx.ts'
import { accepts } from '../support/fronts/ports.ts'
import { FaultSite } from './fault-site.ts'

/** The time limit for steps whose timing depends on the front server. */
const pollOptions = { timeout: 20_000 }

interface Upload {
  id: string
  length: number
  response: TestResponse | Error
}

/** Sequential uploads. Each has an id with which the app reports that its handler was called. */
class Load {
  readonly uploads: Upload[] = []
  readonly #clients: Promise<void>[]
  #stopped = false

  constructor(origin: Origin, clients: number) {
    this.#clients = Array.from({ length: clients }, () => this.#run(origin))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
  }

  async #run(origin: Origin): Promise<void> {
    while (!this.#stopped) {
      const id = randomUUID()
      const length = Math.floor(Math.random() * 300_000)
      const options = { method: 'POST', body: Buffer.concat([...content(length)]) }
      const response = await send(origin, `/upload?id=${id}`, options).catch((error: Error) => error)
      this.uploads.push({ id, length, response })
      // If nothing listens any more, the front server responds at once.
      if (!isComplete(response)) await setTimeout(20)
    }
  }
}

test.concurrent.for([nginx, apacheProxy, haproxy])(
  'SIGTERM under load from $name: each request that reached an app gets a complete response, and the apps exit with 0',
  { timeout: 120_000 },
  async (front, { expect, onTestFailed }) => {
    const site = new FaultSite()
    let log = ''
    onTestFailed(() => console.error(log))
    try {
      const { origin } = await front.start(site)
      const origins = front.modes.flatMap(({ name }) => APPS.map((app) => origin(name, app)))
      const loads = origins.map((each) => new Load(each, 2))
      const held = origins.map((each) => {
        const id = randomUUID()
        return { id, response: send(each, `/hold?id=${id}`) }
      })
      for (const { id } of held) await site.control.waitFor(id, 'held')
      await expect.poll(() => loads.every(({ uploads }) => uploads.length > 5), pollOptions).toBe(true)

      for (const { program } of site.apps) program.child.kill('SIGTERM')
      for (const { id } of held) await site.control.waitFor(id, 'SIGTERM')
      // The load continues while the apps accept nothing new.
      for (const { at } of site.apps) await expect.poll(() => accepts(at), pollOptions).toBe(false)
      for (const { id } of held) site.control.send(id, 'continue')
      // The server aborts requests at the deadline. Complete responses and exit status 0 prove that all ended in time.
      for (const { program } of site.apps) expect(await program.exited).toEqual({ code: 0, signal: null })
      for (const load of loads) await load.stop()

      for (const { response } of held) expect((await response).text).toMatch(/^held by \d+\n$/)
      const all = loads.flatMap(({ uploads }) => uploads)
      const refused: unknown[] = []
      for (const { id, length, response } of all) {
        if (isComplete(response)) expect(JSON.parse(response.text)).toEqual(await digest(content(length)))
        else refused.push('status' in response ? response.status : String(response))
        if (site.control.wasSent(id, 'started')) expect(response, id).toMatchObject({ status: 200 })
      }
      // No app handler ran for these requests: the front server sent the error itself.
      const refusals = [502, 503, ...(front.modes[0]!.traits.refusals ?? [])]
      for (const refusal of refused) expect(refusals).toContain(refusal)
    } finally {
      log = site.report()
      await site.stop()
    }
  },
)

function isComplete(response: TestResponse | Error): response is TestResponse {
  return 'status' in response && response.status === 200
}
