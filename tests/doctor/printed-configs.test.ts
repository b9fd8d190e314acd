// `fcgi-bridge doctor` finds no errors and no warnings in a config of `fcgi-bridge config`.
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { CONFIGURED, type PrintedConfig } from '../support/fronts/configured.ts'
import type { Site } from '../support/fronts/site.ts'
import { askDoctor, withSite } from './faults.ts'

const APP = fileURLToPath(new URL('../../examples/fetch/app.mjs', import.meta.url))

// Not apache-fcgid: mod_fcgid starts the app, so the doctor cannot listen in its place.
const servers = Object.keys(CONFIGURED).filter((name) => name !== 'apache-fcgid')

describe.concurrent.each(servers)('%s', (server) => {
  test.each(['', '/shop'])("the app at '%s'", { timeout: 120_000 }, (mount) =>
    withSite(async (site) => {
      const socket = site.path('app.sock')
      const [port] = await CONFIGURED[server]!(site, 1, ([port]) =>
        print(
          site,
          server,
          APP,
          '--socket',
          socket,
          '--mount',
          mount || '/',
          '--listen',
          `127.0.0.1:${port}`,
        ),
      )
      const { report } = await askDoctor(site, `http://localhost:${port}${mount}`, '--app', socket)
      expect(report.findings.filter(({ level }) => level !== 'note')).toEqual([])
      expect(report.healthy).toBe(true)
    }),
  )
})

async function print(site: Site, ...words: string[]): Promise<PrintedConfig> {
  const program = site.start(process.execPath, [COMMAND_LINE, 'config', ...words, '--json'])
  const [line] = await program.printed(/^\{.*\}$/m)
  return JSON.parse(line)
}
