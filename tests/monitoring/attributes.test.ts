// docs/monitoring.md lists which attributes of OpenTelemetry's server spans differ over FastCGI from those of an HTTP server, when both are
// behind nginx.

import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { startNginx } from '../support/fronts/nginx.ts'
import { Site } from '../support/fronts/site.ts'
import { OtlpReceiver } from './otlp.ts'
import { openTelemetry, startApp } from './watched.ts'

// What nginx's documentation and `fcgi-bridge config --forwarded-headers` set.
const PROXY = `
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;`
const FASTCGI = `
  include /etc/nginx/fastcgi_params;
  fastcgi_param HTTP_HOST $http_host;`
const FORWARDED = `
  fastcgi_param HTTP_X_FORWARDED_FOR $remote_addr;
  fastcgi_param HTTP_X_FORWARDED_PROTO $scheme;
  fastcgi_param HTTP_X_FORWARDED_HOST $http_host;`

const CLIENT = '127.0.0.2'

test.each(['express', 'hono'])('%s: no attribute differs but the listed ones', async (name) => {
  const receiver = new OtlpReceiver()
  const endpoint = await receiver.listen()
  onTestFinished(() => receiver.close())
  const { args, env } = openTelemetry(endpoint)
  const http = await startApp(name, 'http', args, env)
  const fastCgi = await startApp(name, 'fastcgi', args, env)
  const site = new Site()
  onTestFinished(() => site.stop())
  const ports = await startNginx(
    site,
    3,
    ([proxied, plain, forwarded]) => `
      server { listen 127.0.0.1:${proxied}; location / { proxy_pass http://127.0.0.1:${http.appPort}; ${PROXY} } }
      server { listen 127.0.0.1:${plain}; location / { fastcgi_pass 127.0.0.1:${fastCgi.appPort}; ${FASTCGI} } }
      server {
        listen 127.0.0.1:${forwarded};
        location / { fastcgi_pass 127.0.0.1:${fastCgi.appPort}; ${FASTCGI} ${FORWARDED} }
      }`,
  )
  for (const port of ports) await get(port)
  await http.stop()
  await fastCgi.stop()
  const spans = receiver.spans.filter(({ kind }) => kind === 'server')
  const [plain, forwarded] = spans.filter(({ attributes }) => attributes['network.peer.address'] === CLIENT)
  const proxied = spans.find((span) => span !== plain && span !== forwarded)!
  const withHeaders = {
    'network.peer.address': ['127.0.0.1', CLIENT],
    'network.peer.port': ['number', 'number'],
    'network.protocol.version': ['1.0', '1.1'],
  }
  expect(differences(proxied.attributes, forwarded!.attributes)).toEqual(withHeaders)
  expect(differences(proxied.attributes, plain!.attributes)).toEqual(withHeaders)
  expect(Object.keys(proxied.attributes)).toContain('client.address')
})

/** The attributes that differ, with both values. */
function differences(
  theirs: Record<string, unknown>,
  ours: Record<string, unknown>,
): Record<string, [unknown, unknown]> {
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])].sort()
  // Each connection has another port.
  const value = (name: string, all: Record<string, unknown>): unknown =>
    name === 'network.peer.port' ? typeof all[name] : all[name]
  return Object.fromEntries(
    names
      .filter((name) => name === 'network.peer.port' || theirs[name] !== ours[name])
      .map((name) => [name, [value(name, theirs), value(name, ours)]]),
  )
}

async function get(port: number): Promise<void> {
  const request = requestHttp({
    host: '127.0.0.1',
    port,
    localAddress: CLIENT,
    path: '/hello/a?x=1',
    headers: { host: 'shop.test:8080', 'user-agent': 'tests' },
    agent: false,
  }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  await once(response.resume(), 'end')
  expect(response.statusCode).toBe(200)
}
