// A load balancer with health checks in front of two programs: it takes one out before that one drains.
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Origin } from '../support/fronts/front.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { OpenLoop } from '../support/open-loop.ts'

let site: Site

siteForEachTest((each) => {
  site = each
  site.write(
    'app.mjs',
    `export default { async fetch(request) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      return new Response(process.argv[1] + (await request.text()))
    } }`,
  )
})

test.each([
  ['one process', []],
  ['a pool', ['--workers', '1']],
])(
  '--drain-delay and --health-path, %s: HAProxy stops sending requests before the program drains',
  async (_, flags) => {
    const [first, second] = ['a.sock', 'b.sock'].map((name) => startProgram(site.path(name), flags)) as [
      Program,
      Program,
    ]
    await Promise.all([first.printed(/^Serving /m), second.printed(/^Serving /m)])
    const origin = await startHaproxy()
    await expect.poll(async () => (await send(origin, '/')).status).toBe(200)
    // HAProxy's requests have no HTTP_HOST, and the app does not see them.
    await expect.poll(() => serverStates()).toEqual(['UP', 'UP'])
    const load = new OpenLoop(origin, '/', 40, 20)
    process.kill(first.pid, 'SIGTERM')
    await expect.poll(() => serverStates()).toEqual(['DOWN', 'UP'])
    expect(first.running).toBe(true)
    expect(await first.exited).toEqual({ code: 0, signal: null })
    const outcome = await load.stop()
    expect(outcome.failed).toEqual([])
    expect(outcome.requests).toBeGreaterThan(20)

    function serverStates(): string[] {
      return ['a', 'b'].map((name) => {
        const lines = site.report().match(new RegExp(`Server front/${name} is (UP|DOWN)`, 'g'))
        return lines?.at(-1)?.endsWith('DOWN') ? 'DOWN' : 'UP'
      })
    }
  },
)

function startProgram(path: string, flags: readonly string[]): Program {
  const health = ['--health-path', '/healthz', '--drain-delay', '4s', '--no-log']
  const args = [COMMAND_LINE, 'serve', 'app.mjs', '--path', path, ...health, ...flags]
  return site.start(process.execPath, args, { cwd: site.folder })
}

async function startHaproxy(): Promise<Origin> {
  const { ports } = await site.startServer(1, ([port]) => {
    const config = site.write(
      'haproxy.cfg',
      `
global
  log stderr format raw daemon
defaults
  mode http
  log global
  timeout connect 5s
  timeout client 60s
  timeout server 60s
fcgi-app app
  docroot /srv
  no option keep-conn
listen front
  bind 127.0.0.1:${port}
  use-fcgi-app app
  option httpchk GET /healthz
  default-server check inter 500ms fall 2 rise 1
  server a unix@${site.path('a.sock')} proto fcgi
  server b unix@${site.path('b.sock')} proto fcgi
`,
    )
    return { file: required('haproxy'), args: ['-db', '-f', config] }
  })
  return { host: '127.0.0.1', port: ports[0]! }
}
