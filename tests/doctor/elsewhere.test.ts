import { describe, expect, test } from 'vitest'
import { askDoctor, codesOf, type Patient, TIMEOUT, withSite } from './diagnoses.ts'
import { apacheProxy, apacheProxyBySetHandler } from './patients/apache-proxy.ts'
import { caddy } from './patients/caddy.ts'
import { h2o } from './patients/h2o.ts'
import { haproxy } from './patients/haproxy.ts'
import { lighttpd } from './patients/lighttpd.ts'
import { nginx } from './patients/nginx.ts'

const patients: readonly Patient[] = [
  nginx,
  apacheProxy,
  apacheProxyBySetHandler,
  lighttpd,
  caddy,
  h2o,
  haproxy,
]

describe.concurrent('a front server that looks for the app elsewhere', () => {
  for (const { name, healthy, prefix, start } of patients)
    test(`${name}: the line that leads to it`, { timeout: TIMEOUT }, () =>
      withSite(async (site) => {
        const { origin } = await start(site, healthy)
        const socket = site.path('where-it-is.sock')
        const { report, code } = await askDoctor(site, origin + prefix, '--app', socket)
        expect(codesOf(report)).toEqual(['unreached'])
        expect(report.findings[0]!.mend.lines.join('\n')).toContain(socket)
        expect(code).toBe(6)
      }),
    )
})
