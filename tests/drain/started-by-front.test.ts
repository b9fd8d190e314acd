// Front servers that start the app themselves and pass its listening socket as descriptor 0: SIGTERM to one process after the other,
// under load.

import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import type { Origin } from '../support/fronts/front.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { accepting } from '../support/fronts/ports.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { OpenLoop } from '../support/open-loop.ts'

const APP = fileURLToPath(new URL('../support/apps/drain.js', import.meta.url))
const PROCESSES = 6

let site: Site

siteForEachTest(
  (each) => {
    site = each
  },
  (each) => each.kill(),
)

/** The processes of the app that serve already. A signal ends a process that has not run its first line yet; nothing can help that. */
async function servingPids(origin: Origin, path: string, count: number): Promise<Set<number>> {
  const pids = new Set<number>()
  await expect
    .poll(
      async () => {
        const responses = await Promise.all(
          Array.from({ length: 2 * count }, () => send(origin, `${path}?wait=300`).catch(() => undefined)),
        )
        for (const response of responses) {
          const pid = /^pid (\d+)/.exec(response?.text ?? '')?.[1]
          if (pid !== undefined) pids.add(Number(pid))
        }
        return pids.size
      },
      { timeout: 50_000 },
    )
    .toBeGreaterThanOrEqual(count)
  return pids
}

/** Sends SIGTERM to each of `pids`, 600 ms apart, under load. Returns the requests that failed. */
async function terminateInTurn(
  origin: Origin,
  path: string,
  rate: number,
  pids: Iterable<number>,
): Promise<string[]> {
  const load = new OpenLoop(origin, `${path}?wait=15`, rate)
  await setTimeout(500)
  for (const pid of pids) {
    process.kill(pid, 'SIGTERM')
    await setTimeout(600)
  }
  const { failed, requests } = await load.stop()
  expect(requests).toBeGreaterThan(rate)
  return failed
}

test('Apache mod_fcgid: no request is lost', async () => {
  const program = site.writeProgram('app.fcgi', 'drain')
  const { ports } = await startApache(site, {
    modules: ['fcgid'],
    server: `${fcgidDirectives(site)}
      FcgidTerminationScore 0
      FcgidTimeScore 4
      FcgidErrorScanInterval 1
      FcgidZombieScanInterval 1
      FcgidMinProcessesPerClass 0`,
    hosts: [
      `ScriptAlias "/" "${program}/"
      <Location "/">
        SetHandler fcgid-script
      </Location>`,
    ],
  })
  const origin = { host: '127.0.0.1', port: ports[0]! }
  const pids = [...(await servingPids(origin, '/', PROCESSES))].slice(0, PROCESSES)
  expect(await terminateInTurn(origin, '/', 40, pids)).toEqual([])
})

test('lighttpd bin-path: no request is lost that a process has accepted', async () => {
  const program = site.writeProgram('app.fcgi', 'drain')
  const [port] = await startLighttpd(
    site,
    1,
    () => `
      server.modules = ("mod_fastcgi")
      fastcgi.server = ("/" => ((
        "bin-path" => "${program}", "socket" => "${site.path('app.sock')}", "max-procs" => 2, "check-local" => "disable"
      )))`,
  )
  const origin = { host: '127.0.0.1', port: port! }
  const pids = await servingPids(origin, '/', 2)
  expect(await terminateInTurn(origin, '/', 60, [...pids].slice(0, 1))).toEqual([])
})

test('spawn-fcgi -F behind nginx: no request is lost, and the other processes continue to serve', async () => {
  const [appPort] = await freePorts(1)
  const args = ['-a', '127.0.0.1', '-p', String(appPort), '-F', '3', '--', process.execPath, APP]
  site.start(required('spawn-fcgi'), args, { env: { ...process.env, ...site.appEnvironment() } })
  await accepting({ host: '127.0.0.1', port: appPort! }, () => false)
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      server {
        listen 127.0.0.1:${port};
        location / { include /etc/nginx/fastcgi_params; fastcgi_pass 127.0.0.1:${appPort}; }
      }`,
  )
  const origin = { host: '127.0.0.1', port: port! }
  const pids = [...(await servingPids(origin, '/', 3))]
  expect(await terminateInTurn(origin, '/', 100, pids.slice(0, 2))).toEqual([])
  process.kill(pids[2]!, 'SIGTERM')
  const running = (): number => site.processes().filter(({ command }) => command.includes(APP)).length
  await expect.poll(running).toBe(0)
})
