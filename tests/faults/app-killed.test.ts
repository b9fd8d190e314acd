// An app's process is killed during requests, and another one replaces it. Clients see what docs/faults.md describes.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { open, readAll, send } from '../support/cases/http.ts'
import { apacheFcgid } from '../support/fronts/apache-fcgid.ts'
import { apacheProxy } from '../support/fronts/apache-proxy.ts'
import { caddy } from '../support/fronts/caddy.ts'
import { APPS, type Front, type Mode, type Origin } from '../support/fronts/front.ts'
import { h2o } from '../support/fronts/h2o.ts'
import { haproxy } from '../support/fronts/haproxy.ts'
import { lighttpd } from '../support/fronts/lighttpd.ts'
import { nginx } from '../support/fronts/nginx.ts'
import { kill } from '../support/fronts/processes.ts'
import { FaultSite } from './fault-site.ts'

/** A row of the table in docs/faults.md. Each value is what a client gets. */
interface Outcome {
  /** For a request that waits for its response when the app is killed. */
  waiting: string
  /** For a request whose response has begun. */
  streaming: string
  /** For a request while no app runs. */
  down: string
  /** When requests succeed again after the next app has started. */
  back: string
}

const TABLE = /^\| front server .*\n\|[- |]+\n((?:\|.*\n)+)/m
const [, rows] = TABLE.exec(readFileSync(new URL('../../docs/faults.md', import.meta.url), 'utf8'))!
const expectedOutcomes = new Map<string, Outcome>(
  rows!
    .trim()
    .split('\n')
    .map((row) => {
      const [name, waiting, streaming, down, back] = row
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim())
      return [name!, { waiting: waiting!, streaming: streaming!, down: down!, back: back! }]
    }),
)

const FRONTS: [Front, readonly Mode[]][] = [
  [nginx, nginx.modes],
  [apacheProxy, apacheProxy.modes],
  [apacheFcgid, apacheFcgid.modes.filter(({ name }) => name === 'ScriptAlias')],
  [lighttpd, lighttpd.modes.filter(({ name }) => name !== 'bin-path')],
  [caddy, caddy.modes],
  [h2o, h2o.modes],
  [haproxy, haproxy.modes],
]

test.concurrent.for(FRONTS.map(([front, modes]) => ({ name: front.name, front, modes })))(
  '$name',
  { timeout: 120_000 },
  async ({ front, modes }, { expect, onTestFailed }) => {
    const site = new FaultSite()
    let log = ''
    onTestFailed(() => console.error(log))
    try {
      const { origin } = await front.start(site)
      const requests = modes.flatMap((mode) => APPS.map((app) => ({ mode, at: origin(mode.name, app) })))
      const running = await Promise.all(requests.map(({ mode, at }) => begin(site, at, mode.prefix)))
      const listening = [...site.apps]
      for (const { program } of listening) program.child.kill('SIGKILL')
      if (front === apacheFcgid) killSpawned(site)
      for (const { program } of listening) await program.exited

      for (const [index, { mode, at }] of requests.entries()) {
        const expected =
          expectedOutcomes.get(`${front.name}, ${mode.name}`) ?? expectedOutcomes.get(front.name)!
        expect(await running[index]!.waiting, mode.name).toBe(expected.waiting)
        expect(expected.streaming.split(' or '), mode.name).toContain(await running[index]!.streaming)
        expect(await outcomeOf(send(at, `${mode.prefix}/text`)), mode.name).toBe(expected.down)
      }
      for (const app of listening) await site.restart(app)
      for (const { mode, at } of requests) {
        const { back } = expectedOutcomes.get(front.name)!
        const outcome = () => outcomeOf(send(at, `${mode.prefix}/text`))
        if (back === 'at once') expect(await outcome(), mode.name).toBe('200')
        else await expect.poll(outcome, { interval: 100 }).toBe('200')
      }
    } finally {
      log = site.report()
      await site.stop()
    }
  },
)

/** Two running requests: one without a response, one with the beginning of its response. */
async function begin(
  site: FaultSite,
  at: Origin,
  prefix: string,
): Promise<{ waiting: Promise<string>; streaming: Promise<string> }> {
  const [held, streamed] = [randomUUID(), randomUUID()]
  const waiting = outcomeOf(send(at, `${prefix}/hold?id=${held}`))
  const streaming = outcomeOf(
    open(at, `${prefix}/fail/after?id=${streamed}`).then(async (incoming) => {
      const text = (await readAll(incoming)).toString()
      return { status: incoming.statusCode!, text }
    }),
  )
  await Promise.all([site.control.waitFor(held, 'held'), site.control.waitFor(streamed, 'started')])
  return { waiting, streaming }
}

async function outcomeOf(response: Promise<{ status: number; text: string }>): Promise<string> {
  try {
    const { status, text } = await response
    if (text === 'the beginning\n') return 'looks complete'
    return text.startsWith('the beginning\n') ? 'error page appended' : String(status)
  } catch {
    return 'cut off'
  }
}

function killSpawned(site: FaultSite): void {
  for (const { pid, command } of site.processes()) {
    if (command.includes('/app.fcgi')) kill(pid)
  }
}
