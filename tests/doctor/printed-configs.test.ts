// `fcgi-bridge doctor` finds no errors and no warnings in a config of `fcgi-bridge config`.
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CONFIGURED } from '../support/fronts/configured.ts'
import { printConfig } from '../support/fronts/printed-config.ts'
import type { Site } from '../support/fronts/site.ts'
import { askDoctor, withSite } from './faults.ts'

const APP = fileURLToPath(new URL('../../examples/fetch/app.mjs', import.meta.url))

// Not apache-fcgid: mod_fcgid starts the app, so the doctor cannot listen in its place.
const servers = Object.keys(CONFIGURED).filter((name) => name !== 'apache-fcgid')

describe.concurrent.each(servers)('%s', (server) => {
  test.each(['', '/shop'])("an app mounted at '%s'", { timeout: 120_000 }, (mount) =>
    withSite((site) => expectHealthy(site, server, mount)),
  )

  if (server !== 'haproxy')
    test.each(['', '/shop'])(
      "an app mounted at '%s' that shares it with files",
      { timeout: 120_000 },
      (mount) =>
        withSite((site) => expectHealthy(site, server, mount, '--static', site.makeFolder('public'))),
    )
})

async function expectHealthy(site: Site, server: string, mount: string, ...flags: string[]): Promise<void> {
  const socket = site.path('app.sock')
  const [port] = await CONFIGURED[server]!(site, 1, ([port]) => {
    const listen = ['--socket', socket, '--listen', `127.0.0.1:${port}`]
    return printConfig(server, APP, ...listen, '--mount', mount || '/', '--no-check', ...flags)
  })
  const { report } = await askDoctor(`http://localhost:${port}${mount}`, '--app', socket)
  expect(report.findings.filter(({ level }) => level !== 'note')).toEqual([])
  expect(report.healthy).toBe(true)
  // No advice may undo the mount or the rewrite of the config.
  const lines = report.findings.flatMap(({ fix }) => fix.lines)
  expect(lines.filter((line) => line.includes('=> (('))).toEqual([])
}
