// lighttpd configured exactly as flup's users had it, in front of a port of flup's example program.
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

test('examples/environ lists what lighttpd sent', async () => {
  const server = fileURLToPath(new URL('../../examples/environ/server.mjs', import.meta.url))
  const { ports } = await site.startServer(1, ([port]) => ({
    file: process.execPath,
    args: [server],
    env: { FCGI_BRIDGE_LISTEN: `127.0.0.1:${port}` },
  }))
  const answer = await askThroughLighttpd({ host: '127.0.0.1', port: ports[0]! })
  expect(answer).toContain('Flup works!')
  expectEnvironment(answer)
})

test('the Express version routes on the path that was asked for', async () => {
  const { at } = await site.startApp('environ-express', '127.0.0.1:0')
  const answer = await askThroughLighttpd(at)
  expectEnvironment(answer)
  expect(answer).toContain('req.url=/aadsfasddfasdf?a=123\nreq.query.a=123\n')
})

async function askThroughLighttpd(at: Listening): Promise<string> {
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
  const answer = await send({ host: '127.0.0.1', port: port! }, '/aadsfasddfasdf?a=123')
  expect(answer).toMatchObject({ status: 200 })
  return answer.text
}

function expectEnvironment(answer: string): void {
  expect(answer.split('\n')).toEqual(
    expect.arrayContaining([
      'PATH_INFO=/aadsfasddfasdf',
      'SCRIPT_NAME=/tmp/est.fcgi',
      'QUERY_STRING=a=123',
      'REQUEST_URI=/aadsfasddfasdf?a=123',
    ]),
  )
}
