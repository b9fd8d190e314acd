// `fcgi-bridge config --forwarded-headers`: the app gets the client's address, the scheme and the host as headers, and nothing that a
// client claims.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { makeCertificate } from '../support/fronts/certificate.ts'
import { CONFIGURED, type PrintedConfig } from '../support/fronts/configured.ts'
import { printConfig, startPrinted } from '../support/fronts/printed-config.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

let site: Site

siteForEachTest(
  (each) => {
    site = each
  },
  (each) => each.kill(),
)

const APP = `
  export default (request, response) => response.end(JSON.stringify(request.rawHeaders))`

/** The names of the headers that become the same param as X-Forwarded-NAME. */
function namesOf(name: string): string[] {
  return ['-', '_'].flatMap((first) => ['-', '_'].map((second) => `X${first}Forwarded${second}${name}`))
}

const SERVERS = ['nginx', 'apache-fcgid', 'apache-proxy', 'caddy', 'haproxy']
const cases = SERVERS.flatMap((server) => [
  [server, 'http'] as const,
  ...(server === 'apache-proxy' ? [] : [[server, 'https'] as const]),
])

test.each(cases)('%s sends its own, over %s', async (server, scheme) => {
  const app = site.write('app.mjs', APP)
  const certificate = scheme === 'https' ? makeCertificate(site) : undefined
  const address = server === 'apache-fcgid' ? [] : ['--socket', site.path('app.sock')]
  const print = (ports: number[]): Promise<PrintedConfig> => {
    const tls =
      certificate === undefined
        ? []
        : [
            '--tls-cert',
            certificate.cert,
            '--tls-key',
            certificate.key,
            '--redirect-from',
            `127.0.0.1:${ports[1]}`,
          ]
    const listen = ['--listen', `127.0.0.1:${ports[0]}`, ...tls]
    return printConfig(server, app, ...address, ...listen, '--forwarded-headers', '--no-check')
  }
  await startPrinted(site, await print([80, 81]))
  const [port] = await CONFIGURED[server]!(site, certificate === undefined ? 1 : 2, print)
  const spoofed = [...namesOf('For'), ...namesOf('Proto'), ...namesOf('Host')].flatMap((name) => [
    name,
    'spoofed',
  ])
  const host = `localhost:${port}`
  const { status, text } = await send({ host: '127.0.0.1', port: port! }, '/', {
    headers: ['Host', host, ...spoofed],
    ...(certificate !== undefined && { ca: readFileSync(certificate.cert, 'utf8') }),
  })
  expect(status, text).toBe(200)
  expect(text).not.toContain('spoofed')
  expect(forwarded(JSON.parse(text))).toEqual({
    'x-forwarded-for': ['127.0.0.1'],
    'x-forwarded-proto': [scheme],
    'x-forwarded-host': [host],
  })
})

test.each(['lighttpd', 'h2o', 'systemd'])('%s refuses the flag, and says why', async (server) => {
  await expect(printConfig(server, site.write('app.mjs', APP), '--forwarded-headers')).rejects.toThrow(
    /--forwarded-headers does not apply to/,
  )
})

/** All values of each of these headers. */
function forwarded(rawHeaders: string[]): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  rawHeaders.forEach((text, index) => {
    const name = text.toLowerCase().replaceAll('_', '-')
    if (index % 2 === 1 || !name.startsWith('x-forwarded-')) return
    found[name] = [...(found[name] ?? []), rawHeaders[index + 1]!]
  })
  return found
}
