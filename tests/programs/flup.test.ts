// lighttpd, configured as flup's users configure it, in front of examples/environ, which does what flup's example program does.
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { startLighttpd } from '../support/fronts/lighttpd.ts'
import type { Listening } from '../support/fronts/ports.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

let site: Site

siteForEachTest((each) => {
  site = each
})

test('examples/environ lists the params that lighttpd sent', async () => {
  const server = fileURLToPath(new URL('../../examples/environ/server.mjs', import.meta.url))
  const { ports } = await site.startServer(1, ([port]) => ({
    file: process.execPath,
    args: [server],
    env: { FCGI_BRIDGE_LISTEN: `127.0.0.1:${port}` },
  }))
  const text = await getThroughLighttpd({ host: '127.0.0.1', port: ports[0]! })
  expect(text).toContain('Flup works!')
  expectEnvironment(text)
})

test('the Express version routes by the path that the client requested, not by the rewritten path', async () => {
  const { at } = await site.startApp('environ-express', '127.0.0.1:0')
  const text = await getThroughLighttpd(at)
  expectEnvironment(text)
  expect(text).toContain('req.url=/aadsfasddfasdf?a=123\nreq.query.a=123\n')
})

async function getThroughLighttpd(at: Listening): Promise<string> {
  if ('path' in at) throw new TypeError('The app listens on a path.')
  const [port] = await startLighttpd(
    site,
    1,
    () => `
      server.modules = ("mod_rewrite", "mod_fastcgi")
      fastcgi.server = (
        "/tmp/est.fcgi" => ((
          "host" => "${at.host}",
          "port" => ${at.port},
          "check-local" => "disable"
        ))
      )
      url.rewrite-once = ( "^(/.*)$" => "/tmp/est.fcgi$1" )`,
  )
  const response = await send({ host: '127.0.0.1', port: port! }, '/aadsfasddfasdf?a=123')
  expect(response).toMatchObject({ status: 200 })
  return response.text
}

function expectEnvironment(text: string): void {
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'PATH_INFO=/aadsfasddfasdf',
      'SCRIPT_NAME=/tmp/est.fcgi',
      'QUERY_STRING=a=123',
      'REQUEST_URI=/aadsfasddfasdf?a=123',
    ]),
  )
}
