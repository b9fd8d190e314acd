import { describe, expect, test } from 'vitest'
import { askDoctor, codesOf, type FrontSetup, TIMEOUT, withSite } from './faults.ts'
import { apacheProxy, apacheProxyBySetHandler } from './setups/apache-proxy.ts'
import { caddy } from './setups/caddy.ts'
import { h2o } from './setups/h2o.ts'
import { haproxy } from './setups/haproxy.ts'
import { lighttpd } from './setups/lighttpd.ts'
import { nginx } from './setups/nginx.ts'

const setups: readonly FrontSetup[] = [
  nginx,
  apacheProxy,
  apacheProxyBySetHandler,
  lighttpd,
  caddy,
  h2o,
  haproxy,
]

describe.concurrent('a front server that connects to another address', () => {
  for (const { name, healthy, prefix, start } of setups)
    test(`${name}: the fix has the address of the app`, { timeout: TIMEOUT }, () =>
      withSite(async (site) => {
        const { origin } = await start(site, healthy)
        const socket = site.path('real-address.sock')
        const { report, code } = await askDoctor(origin + prefix, '--app', socket)
        expect(codesOf(report)).toEqual(['unreached'])
        expect(report.findings[0]!.fix.lines.join('\n')).toContain(socket)
        expect(code).toBe(6)
      }),
    )
})
